package dev.varve.e2e;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The pageservers as their metrics tell of them. */
final class Pageservers {
  private static final Pattern GENERATION =
      Pattern.compile(
          "varve_timeline_generation\\{shard=\"(\\d+)\",tenant=\"([^\"]+)\",timeline=\"([^\"]+)\"} ([0-9.]+)");

  private Pageservers() {}

  /**
   * A shard that a pageserver has attached.
   *
   * @param timeline {@code NAMESPACE.TENANT/TIMELINE}
   */
  record Attached(String timeline, int shard, String pod, int generation) {}

  static List<String> pods() {
    return List.of(
        Kubectl.run(
                "-n",
                Shop.SYSTEM,
                "get",
                "pods",
                "-l",
                "app.kubernetes.io/component=pageserver",
                "-o",
                "jsonpath={.items[*].metadata.name}")
            .split(" "));
  }

  /** The node of a pod. */
  static String node(String pod) {
    return Kubectl.run("-n", Shop.SYSTEM, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}");
  }

  /** How many pages of a timeline a pod has answered since it attached it. */
  static long pagesRead(String pod, String timeline) {
    return Pattern.compile(
            "varve_pages_read_total\\{[^}]*timeline=\"" + timeline + "\"[^}]*} ([0-9.E]+)")
        .matcher(metrics(pod))
        .results()
        .mapToLong(found -> (long) Double.parseDouble(found.group(1)))
        .sum();
  }

  /** Empty when it does not answer. */
  private static String metrics(String pod) {
    return Kubectl.attempt(
            "get",
            "--raw",
            "/api/v1/namespaces/" + Shop.SYSTEM + "/pods/" + pod + ":8080/proxy/q/metrics")
        .output();
  }

  /** Everything that is attached anywhere; a pod that does not answer has nothing. */
  static List<Attached> attached() {
    List<Attached> all = new ArrayList<>();
    for (String pod : pods()) {
      Matcher matcher = GENERATION.matcher(metrics(pod));
      while (matcher.find()) {
        all.add(
            new Attached(
                matcher.group(2) + "/" + matcher.group(3),
                Integer.parseInt(matcher.group(1)),
                pod,
                (int) Double.parseDouble(matcher.group(4))));
      }
    }
    return all;
  }

  /** What of a timeline is attached anywhere. */
  static List<Attached> attached(String timeline) {
    return attached().stream().filter(one -> one.timeline().equals(timeline)).toList();
  }
}
