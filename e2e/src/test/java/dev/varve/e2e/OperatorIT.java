package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Operators that die, and two that work at once, against what one alone makes of the same
 * resources. {@code -Dvarve.e2e.kills=N} sets how often one is killed, {@code -Dvarve.e2e.seed=S}
 * repeats a run's choices.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class OperatorIT {
  private static final Duration END = Duration.ofMinutes(2);
  private static final int KILLS = Integer.getInteger("varve.e2e.kills", 20);
  private static final String DEPLOYMENT = "deployment/varve-operator";

  private static Shop shop;

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-operator");
    electing(true);
    shop.sources("main-db");
  }

  @AfterAll
  static void detach() {
    try {
      electing(true);
    } finally {
      shop.close();
    }
  }

  /** Without an election every operator works, at once and right after its start. */
  private static void electing(boolean elects) {
    Kubectl.run(
        "-n",
        Shop.SYSTEM,
        "set",
        "env",
        DEPLOYMENT,
        "QUARKUS_PROFILE" + (elects ? "-" : "=rivals"));
    Kubectl.run("-n", Shop.SYSTEM, "rollout", "status", DEPLOYMENT, "--timeout=180s");
  }

  @Test
  @Order(1)
  void anUnchangedWorldIsNotWrittenTo() {
    shop.tenant("idle", "");
    shop.timeline("idle", "idle", "main-db", "Delete");
    shop.ready("timeline/idle", END);
    // The source itself writes WAL now and then for a while after it was used.
    String before = "";
    SortedMap<String, Usage> first = new TreeMap<>();
    SortedMap<String, Usage> last = first;
    double seconds = 0;
    for (int i = 0; i < 6 && !before.equals(versions()); i++) {
      before = versions();
      first = usage();
      long start = System.nanoTime();
      pause(12_000);
      seconds = Figure.since(start).toMillis() / 1000.0;
      last = usage();
    }
    assertEquals(before, versions());
    assertEquals(first.keySet(), last.keySet());
    int operator = 0;
    for (String name : last.keySet()) {
      Usage now = last.get(name);
      Figure.print(
          "operator-" + operator + "-idle-cpu",
          (now.cpuNanos() - first.get(name).cpuNanos()) / 1e7 / seconds,
          "% of a core");
      Figure.print("operator-" + operator + "-idle-memory", now.bytes() / 1048576.0, "MiB");
      operator++;
    }
  }

  /** Names and versions of all that the operator writes. */
  private static String versions() {
    return shop.kubectl(
        "get",
        "tenants,timelines,services,endpointslices",
        "-o",
        "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}");
  }

  private record Usage(long cpuNanos, long bytes) {}

  /** Of each operator's pod, as the kubelets know it. */
  private static SortedMap<String, Usage> usage() {
    Pattern pod =
        Pattern.compile(
            "\"name\": \"(varve-operator-[^\"]*)\",\\s*\"namespace\".*?\"usageCoreNanoSeconds\": (\\d+).*?\"workingSetBytes\": (\\d+)",
            Pattern.DOTALL);
    return Nodes.findStatistics(pod)
        .collect(
            Collectors.toMap(
                match -> match.group(1),
                match -> new Usage(Long.parseLong(match.group(2)), Long.parseLong(match.group(3))),
                (one, other) -> other,
                TreeMap::new));
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  @Test
  @Order(2)
  void theStandbyTakesOver() {
    String leader =
        Kubectl.run(
            "-n",
            Shop.SYSTEM,
            "get",
            "lease",
            "varve-operator",
            "-o",
            "jsonpath={.spec.holderIdentity}");
    long start = System.nanoTime();
    Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", leader, "--grace-period=0", "--force");
    shop.tenant("orphan", "");
    shop.ready("tenant/orphan", END);
    Figure.print("operator-killed-to-standby-works", Figure.since(start));
    shop.delete("tenant", "orphan");
  }

  @Test
  @Order(3)
  void twoOperatorsAtOnceComeToTheSameEnd() {
    electing(false);
    work("twin", 0, new Random(1));
    checkEnd("twin");
  }

  @Test
  @Order(4)
  void operatorsThatAreKilledComeToTheSameEnd() {
    long seed = Long.getLong("varve.e2e.seed", System.nanoTime());
    System.out.println("an operator is killed " + KILLS + " times, seed " + seed);
    CompletableFuture<Void> killer = CompletableFuture.runAsync(() -> kill(new Random(seed)));
    work("killed", 2_500, new Random(~seed));
    killer.join();
    checkEnd("killed");
  }

  private static void kill(Random random) {
    for (int i = 0; i < KILLS; i++) {
      pause(random.nextInt(2_500));
      String[] pods =
          Kubectl.run(
                  "-n",
                  Shop.SYSTEM,
                  "get",
                  "pods",
                  "-l",
                  "app.kubernetes.io/component=operator",
                  "-o",
                  "jsonpath={.items[*].metadata.name}")
              .split(" ", -1);
      Kubectl.attempt(
          "-n",
          Shop.SYSTEM,
          "delete",
          "pod",
          pods[random.nextInt(pods.length)],
          "--grace-period=0",
          "--force");
    }
  }

  /** Makes two tenants with timelines, changes one, takes others away, with pauses in between. */
  private static void work(String prefix, int pauseMillis, Random random) {
    String tenant = prefix;
    List<Runnable> steps =
        List.of(
            () -> shop.tenant(tenant, ""),
            () -> shop.timeline(prefix + "-kept", tenant, "main-db", "Delete"),
            () -> shop.timeline(prefix + "-changed", tenant, "main-db", "Delete"),
            () -> shop.timeline(prefix + "-gone", tenant, "main-db", "Delete"),
            () -> shop.tenant(prefix + "-gone", ""),
            () -> shop.timeline(prefix + "-brief", prefix + "-gone", "main-db", "Delete"),
            () ->
                shop.kubectl(
                    "patch",
                    "timeline",
                    prefix + "-changed",
                    "--type=merge",
                    "-p",
                    "{\"spec\":{\"source\":{\"primary\":{\"database\":\"template1\"}}}}"),
            () -> shop.kubectl("delete", "timeline", prefix + "-gone", "--wait=false"),
            () ->
                shop.kubectl(
                    "delete",
                    "timeline/" + prefix + "-brief",
                    "tenant/" + prefix + "-gone",
                    "--wait=false"),
            () -> shop.tenant(prefix + "-late", "shards: 2"),
            () -> shop.timeline(prefix + "-late", prefix + "-late", "main-db", "Delete"));
    for (Runnable step : steps) {
      step.run();
      pause(pauseMillis == 0 ? 0 : random.nextInt(2 * pauseMillis));
    }
  }

  /** What one operator alone would come to. */
  private static void checkEnd(String prefix) {
    for (String timeline : List.of("-kept", "-changed", "-late")) {
      shop.ready("timeline/" + prefix + timeline, END);
    }
    for (String gone :
        List.of(
            "timeline/" + prefix + "-gone",
            "timeline/" + prefix + "-brief",
            "tenant/" + prefix + "-gone")) {
      shop.kubectl("wait", "--for=delete", gone, "--timeout=120s");
    }
    String slots = "varve_e2e_operator_" + prefix;
    assertEquals(
        shop.slot(prefix + "-changed")
            + " "
            + shop.slot(prefix + "-kept")
            + " "
            + shop.slot(prefix + "-late")
            + "_0 "
            + shop.slot(prefix + "-late")
            + "_1",
        shop.query(
            "main-db",
            "select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots"
                + " where active and slot_name like '"
                + slots
                + "%'"));
    shop.load("main-db", 10);
    String lsn = shop.lsn("main-db");
    String expected = shop.hashes("main-db");
    for (String timeline : List.of("-kept", "-changed", "-late")) {
      String tenant = timeline.equals("-late") ? prefix + "-late" : prefix;
      Shop.until(
          "one holder of " + prefix + timeline + " with the generation of its status",
          END,
          () -> isHeldOnce(tenant, prefix + timeline),
          () -> Pageservers.attached() + shop.kubectl("get", "timelines", "-o", "yaml"));
      shop.computeAt(prefix + timeline, prefix + timeline, tenant, lsn);
    }
    for (String gone : List.of("-gone", "-brief")) {
      assertTrue(
          Pageservers.attached().stream()
              .noneMatch(one -> one.timeline().endsWith("/" + prefix + gone)));
    }
    for (String timeline : List.of("-kept", "-changed", "-late")) {
      shop.ready("pod/" + prefix + timeline, END);
      assertEquals(expected, shop.hashes(prefix + timeline));
      shop.delete("pod", prefix + timeline);
      shop.delete("timeline", prefix + timeline);
    }
    shop.delete("tenant", prefix, prefix + "-late");
  }

  private static boolean isHeldOnce(String tenant, String timeline) {
    String status =
        shop.kubectl(
            "get",
            "timeline",
            timeline,
            "-o",
            "jsonpath={range .status.shards[*]}{.shard} {.pod} {.generation}{\"\\n\"}{end}");
    String held =
        Pageservers.attached(shop.namespace() + "." + tenant + "/" + timeline).stream()
            .map(one -> one.shard() + " " + one.pod() + " " + one.generation())
            .sorted()
            .reduce("", (a, b) -> a.isEmpty() ? b : a + "\n" + b);
    Matcher said = Pattern.compile("(?m)^\\d+ \\S+ \\d+$").matcher(status);
    return said.find() && status.equals(held);
  }
}
