package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubeapitest.KubeAPIServer;
import io.fabric8.kubeapitest.KubeAPIServerConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every overlay and example builds, and a real API server takes it without a warning: unknown
 * fields, deprecated versions and, in the namespaces of operator, pageservers and databases, pods
 * beyond the restricted Pod Security profile would each be one. The programs are in the directory
 * that {@code VARVE_KUBE_API_DIR} names; without it this is skipped.
 */
final class ManifestsIT {
  private static final Path DEPLOY = Path.of("..", "deploy");

  /** An image whose name an overlay has to replace. */
  private static final Pattern IMAGE = Pattern.compile("(?m)^\\s*(?:- )?image: (\\S+)$");

  /** The kubelet's, not what is in it. */
  private static final Pattern DIRECTORY = Pattern.compile("/var/\\S*/kubelet(?![-/\\w])");

  @TempDir static Path directory;
  private static KubeAPIServer server;
  private static String kubectl;

  @BeforeAll
  static void start() throws Exception {
    String programs = System.getenv("VARVE_KUBE_API_DIR");
    assumeTrue(
        programs != null,
        "VARVE_KUBE_API_DIR names no directory with kube-apiserver and etcd (docs/testing.md)");
    kubectl = Path.of(programs, "k8s", "1.34.4-linux-amd64", "kubectl").toString();
    server =
        new KubeAPIServer(
            KubeAPIServerConfigBuilder.anAPIServerConfig()
                .withTestDir(programs)
                .withApiServerVersion("1.34.4")
                .withOfflineMode(true)
                .withUpdateKubeConfig(false)
                .withStartupTimeout(180_000)
                .build());
    server.start();
    Files.writeString(directory.resolve("kubeconfig"), server.getKubeConfigYaml());
    // What the rest refers to: a dry run finds only what is there.
    apply("-f", DEPLOY.resolve("base/namespace.yaml").toString());
    apply("-f", DEPLOY.resolve("base/agent/namespace.yaml").toString());
    apply("-f", DEPLOY.resolve("overlays/laptop/namespace.yaml").toString());
    apply("-f", DEPLOY.resolve("base/crd").toString());
    apply("-f", DEPLOY.resolve("overlays/production/priority.yaml").toString());
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s");
    kubectl("create", "namespace", "shop");
    for (String namespace : List.of("varve", "shop")) {
      kubectl(
          "label",
          "--overwrite",
          "namespace",
          namespace,
          "pod-security.kubernetes.io/enforce=restricted",
          "pod-security.kubernetes.io/warn=restricted");
    }
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.stop();
    }
  }

  static List<Path> overlays() throws IOException {
    return listed(DEPLOY.resolve("overlays"));
  }

  static List<Path> examples() throws IOException {
    return listed(DEPLOY.resolve("examples"));
  }

  static List<Path> components() throws IOException {
    return listed(DEPLOY.resolve("components"));
  }

  private static List<Path> listed(Path in) throws IOException {
    try (Stream<Path> files = Files.list(in)) {
      return files.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("overlays")
  void overlayIsTaken(Path overlay) throws Exception {
    apply("--dry-run=server", "-k", overlay.toString());
  }

  @ParameterizedTest
  @MethodSource("examples")
  void exampleIsTaken(Path example) throws Exception {
    apply("--dry-run=server", "-n", "shop", "-f", example.toString());
  }

  /** Each pod of an example asks for what it needs, and is ready when its data directory is. */
  @ParameterizedTest
  @MethodSource("examples")
  void examplePodsAskForWhatTheyNeed(Path example) throws Exception {
    for (String object : Files.readString(example).split("(?m)^---$", -1)) {
      if (object.contains("containers:")) {
        assertTrue(object.contains("requests: {cpu: "), object);
        assertTrue(object.contains("memory: "), object);
        assertTrue(object.contains("readinessProbe:"), object);
        assertEquals(
            object.contains("driver: varve.dev"), object.contains("$PGDATA/base/1/"), object);
      }
    }
  }

  /** Images are named by the list in the overlay's kustomization, all of them. */
  @ParameterizedTest
  @MethodSource("overlays")
  void overlayNamesEveryImage(Path overlay) throws Exception {
    Set<String> repositories = new TreeSet<>();
    IMAGE
        .matcher(kubectl("kustomize", overlay.toString()))
        .results()
        .map(found -> found.group(1))
        .forEach(image -> {
          assertTrue(image.contains("/varve/"), image + " has no registry");
          repositories.add(image.substring(0, image.indexOf("/varve/")));
        });
    assertEquals(1, repositories.size(), repositories::toString);
    try (Stream<Path> files = Files.list(overlay)) {
      for (Path file : files.toList()) {
        boolean named = Files.readString(file).contains(repositories.iterator().next());
        assertEquals(file.endsWith("kustomization.yaml"), named, file::toString);
      }
    }
  }

  /** The agent of a kubelet elsewhere names one directory everywhere, and the base's nowhere. */
  @ParameterizedTest
  @MethodSource("components")
  void componentMovesTheKubeletsDirectory(Path component) throws Exception {
    for (Path overlay : overlays()) {
      Path over =
          Files.createDirectory(
              directory.resolve(component.getFileName() + "-" + overlay.getFileName()));
      Files.writeString(
          over.resolve("kustomization.yaml"),
          """
          apiVersion: kustomize.config.k8s.io/v1beta1
          kind: Kustomization
          resources: [OVERLAY]
          components: [COMPONENT]
          """
              .replace("OVERLAY", relative(over, overlay))
              .replace("COMPONENT", relative(over, component)));
      apply("--dry-run=server", "-k", over.toString());
      String plain = agent(overlay);
      assertEquals(3, DIRECTORY.matcher(plain).results().count(), plain);
      String moved = agent(over);
      Set<String> directories =
          DIRECTORY
              .matcher(moved)
              .results()
              .map(MatchResult::group)
              .collect(Collectors.toCollection(TreeSet::new));
      assertEquals(1, directories.size(), moved);
      String kubelet = directories.iterator().next();
      assertNotEquals("/var/lib/kubelet", kubelet);
      assertEquals(plain.replace("/var/lib/kubelet", kubelet), moved);
    }
  }

  /** The agent's DaemonSet as an overlay makes it. */
  private static String agent(Path overlay) throws Exception {
    return Arrays.stream(kubectl("kustomize", overlay.toString()).split("(?m)^---$", -1))
        .filter(object -> object.contains("kind: DaemonSet"))
        .collect(Collectors.joining());
  }

  private static String relative(Path from, Path to) throws IOException {
    return from.toRealPath().relativize(to.toRealPath()).toString();
  }

  /** The profile is enforced, for pods as for what makes them: else the tests say nothing of it. */
  @Test
  void unrestrictedPodsAreRefused() throws Exception {
    Result pod =
        call("run", "bare", "-n", "varve", "--image=none", "--restart=Never", "--dry-run=server");
    assertFalse(pod.code() == 0, pod.said());
    assertTrue(pod.said().contains("violates PodSecurity"), pod.said());
    Result deployment =
        call(
            "create",
            "deployment",
            "bare",
            "--image=none",
            "-n",
            "varve",
            "--dry-run=server",
            "--warnings-as-errors");
    assertFalse(deployment.code() == 0, deployment.said());
    assertTrue(deployment.said().contains("would violate PodSecurity"), deployment.said());
  }

  private static void apply(String... arguments) throws Exception {
    List<String> all = new ArrayList<>(List.of("apply", "--server-side", "--validate=strict"));
    all.add("--warnings-as-errors");
    all.addAll(List.of(arguments));
    kubectl(all.toArray(String[]::new));
  }

  private record Result(int code, String said) {}

  private static String kubectl(String... arguments) throws Exception {
    Result result = call(arguments);
    assertEquals(0, result.code(), () -> String.join(" ", arguments) + "\n" + result.said());
    return result.said();
  }

  private static Result call(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(kubectl, "--kubeconfig"));
    command.add(directory.resolve("kubeconfig").toString());
    command.addAll(List.of(arguments));
    Path output = directory.resolve("output");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(command + " takes longer than a minute");
    }
    return new Result(process.exitValue(), Files.readString(output));
  }
}
