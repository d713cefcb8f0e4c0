package dev.varve.e2e;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Nodes and the power over them: the program that {@code VARVE_NODE_COMMAND} names, called as
 * {@code PROGRAM stop|start N} for a node {@code nodeN} that loses its power and gets it back, and
 * {@code PROGRAM exec N COMMAND…} for a command among the node's own mounts.
 */
final class Nodes {
  private static final String PREFIX = "node";

  private Nodes() {}

  /** For {@code @EnabledIf}. */
  static boolean canControl() {
    return Cluster.isThere() && System.getenv("VARVE_NODE_COMMAND") != null;
  }

  static List<String> names() {
    return Kubectl.run("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
        .lines()
        .flatMap(line -> Arrays.stream(line.split(" ")))
        .toList();
  }

  /** Where a pattern is found in the statistics of the nodes' kubelets. */
  static Stream<MatchResult> findStatistics(Pattern pattern) {
    return names().stream()
        .flatMap(node ->
            pattern
                .matcher(
                    Kubectl.run("get", "--raw", "/api/v1/nodes/" + node + "/proxy/stats/summary"))
                .results());
  }

  /** Takes a node's power. */
  static void stop(String node) {
    control("stop", node);
  }

  static void start(String node) {
    control("start", node);
  }

  /** What a command on a node printed. */
  static String exec(String node, String... command) {
    return control("exec", node, command);
  }

  private static String control(String verb, String node, String... more) {
    String program = System.getenv("VARVE_NODE_COMMAND");
    if (program == null || !node.startsWith(PREFIX)) {
      throw new IllegalStateException("no power over " + node + ": VARVE_NODE_COMMAND=" + program);
    }
    List<String> command = new ArrayList<>(List.of(program, verb, node.substring(PREFIX.length())));
    command.addAll(List.of(more));
    Kubectl.Result result = Kubectl.call(command);
    if (!result.ok()) {
      throw new IllegalStateException(
          command + " ended with " + result.code() + ":\n" + result.output());
    }
    return result.output().strip();
  }
}
