package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.varve.crd.Timeline;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the operator's process costs: the application as it is shipped, with the flags of its
 * Deployment, against a real API server and one pageserver that only manages. {@code
 * -Dvarve.idle=200} timelines do nothing at first, then as many more are made at once as {@code
 * -Dvarve.crowd=500} is above that.
 */
final class OperatorProcessIT {
  private static final int IDLE = Integer.getInteger("varve.idle", 200);
  private static final int CROWD = Integer.getInteger("varve.crowd", IDLE);
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  /** Of one core, while nothing happens. */
  private static final double IDLE_CPU_LIMIT = 0.01;

  private static final Path APPLICATION = Path.of("target", "quarkus-app", "quarkus-run.jar");
  private static final Path DEPLOYMENT =
      Path.of("..", "deploy", "base", "operator", "deployment.yaml");
  private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d+) kB$");

  /** An address that pods may have: the API server refuses the loopback interface. */
  private static InetAddress address() throws IOException {
    for (NetworkInterface each : NetworkInterface.networkInterfaces().toList()) {
      for (InetAddress address : each.inetAddresses().toList()) {
        if (address instanceof Inet4Address
            && !address.isLoopbackAddress()
            && !address.isLinkLocalAddress()) {
          return address;
        }
      }
    }
    assumeTrue(false, "this machine has no address but the loopback interface's");
    throw new AssertionError();
  }

  private static Process start(Path directory, String kubeconfig) throws IOException {
    Path config = Files.writeString(directory.resolve("kubeconfig"), kubeconfig);
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:MaxRAM=512m",
            "-jar",
            APPLICATION.toString());
    builder.environment().putAll(shippedEnvironment());
    builder
        .environment()
        .putAll(
            Map.of(
                "KUBECONFIG",
                config.toString(),
                "QUARKUS_HTTP_PORT",
                "0",
                "VARVE_OPERATOR_PAGESERVER_SELECTOR",
                "app.kubernetes.io/component=pageserver",
                "HOSTNAME",
                "operator"));
    return builder
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()))
        .start();
  }

  /** What the Deployment says in words, not by reference. */
  private static Map<String, String> shippedEnvironment() throws IOException {
    Map<String, String> environment =
        Serialization.unmarshal(Files.readString(DEPLOYMENT), Deployment.class)
            .getSpec()
            .getTemplate()
            .getSpec()
            .getContainers()
            .getFirst()
            .getEnv()
            .stream()
            .filter(variable -> variable.getValue() != null)
            .collect(Collectors.toMap(EnvVar::getName, EnvVar::getValue));
    assertTrue(environment.containsKey("JAVA_TOOL_OPTIONS"), environment.toString());
    return environment;
  }

  private static Duration cpu(Process process) {
    return process.info().totalCpuDuration().orElseThrow();
  }

  private static long residentMebibytes(Process process) throws IOException {
    Matcher matcher =
        RESIDENT.matcher(Files.readString(Path.of("/proc/" + process.pid() + "/status")));
    return matcher.find() ? Long.parseLong(matcher.group(1)) >> 10 : 0;
  }

  private static boolean areReady(TestCluster cluster, int count) {
    List<Timeline> all =
        cluster.admin.resources(Timeline.class).inNamespace(SHOP).list().getItems();
    return all.size() == count && all.stream().allMatch(TestCluster::isReady);
  }

  /** Makes timelines and waits until all are ready. */
  private static void make(TestCluster cluster, Process operator, int from, int to)
      throws IOException {
    Duration before = cpu(operator);
    long start = System.nanoTime();
    for (int i = from; i < to; i++) {
      cluster.timeline("p" + i, "crowd", "password");
    }
    long made = System.nanoTime();
    await("all to be ready", PATIENCE, () -> areReady(cluster, to));
    System.out.printf(
        "%d timelines: created in %d ms, ready %d ms later; %d ms of CPU, %d MiB resident%n",
        to - from,
        TimeUnit.NANOSECONDS.toMillis(made - start),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - made),
        cpu(operator).minus(before).toMillis(),
        residentMebibytes(operator));
  }

  /** The share of a core over some seconds in which nothing is written; 1 when something is. */
  private static double idle(TestCluster cluster, Process operator) throws Exception {
    Map<String, String> before = new TreeMap<>(cluster.versions());
    Duration used = cpu(operator);
    long start = System.nanoTime();
    TimeUnit.SECONDS.sleep(Integer.getInteger("varve.idle.seconds", 20));
    double share = (double) cpu(operator).minus(used).toNanos() / (System.nanoTime() - start);
    boolean calm = before.equals(new TreeMap<>(cluster.versions()));
    System.out.printf(
        "%s: %.2f %% of a core, %d MiB resident%n",
        calm ? "idle" : "not idle yet", share * 100, residentMebibytes(operator));
    return calm ? share : 1;
  }

  /** Libraries as well: a warning means that a person has to look. */
  @Test
  void theOperatorStartsWithoutAWarning(@TempDir Path directory) throws Exception {
    assumeTrue(Files.exists(APPLICATION), "the application is not built");
    InetAddress address = address();
    try (TestCluster cluster = new TestCluster();
        FakePageserver _ =
            new FakePageserver(
                cluster.store, new InetSocketAddress(address, TimelineObjects.PORT))) {
      cluster.password("password", "secret");
      cluster.pageserver("ps-0", address.getHostAddress());
      cluster.tenant("crowd", 1);
      cluster.timeline("first", "crowd", "password");
      Process operator = start(directory, cluster.kubeconfig());
      try {
        await("served", () -> cluster.isReady("first"));
        String log = Files.readString(directory.resolve("log"));
        assertEquals(
            List.of(),
            log.lines().filter(l -> l.contains(" WARN ") || l.contains(" ERROR ")).toList());
        assertTrue(log.contains("this operator leads"), log);
      } finally {
        operator.destroy();
        operator.waitFor();
      }
    }
  }

  @Test
  void idleTimelinesCostNextToNothing(@TempDir Path directory) throws Exception {
    assumeTrue(Files.exists(APPLICATION), "the application is not built");
    InetAddress address = address();
    try (TestCluster cluster = new TestCluster();
        FakePageserver pageserver =
            new FakePageserver(
                cluster.store, new InetSocketAddress(address, TimelineObjects.PORT))) {
      cluster.password("password", "secret");
      cluster.pageserver("ps-0", address.getHostAddress());
      cluster.tenant("crowd", 1);
      Process operator = start(directory, cluster.kubeconfig());
      try {
        make(cluster, operator, 0, IDLE);
        assertEquals(IDLE, pageserver.attached.size());
        // Until compiled and calm; the limit is one that a busy machine need not reach at once.
        double share = 1;
        for (int i = 0; i < 6 && share >= IDLE_CPU_LIMIT; i++) {
          share = idle(cluster, operator);
        }
        assertTrue(share < IDLE_CPU_LIMIT, "idle, it takes " + share + " of a core");
        if (CROWD > IDLE) {
          make(cluster, operator, IDLE, CROWD);
          idle(cluster, operator);
        }
      } catch (Throwable e) {
        System.out.println(Files.readString(directory.resolve("log")));
        throw e;
      } finally {
        operator.destroy();
        operator.waitFor();
      }
    }
  }
}
