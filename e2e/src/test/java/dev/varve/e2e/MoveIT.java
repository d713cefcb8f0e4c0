package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/** Pageservers and nodes go and come under a compute that scans all the while. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#hasTwoNodes",
    disabledReason = "KUBECONFIG names no cluster of two nodes")
final class MoveIT {
  private static final Duration START = Duration.ofMinutes(2);
  private static final String SET = "statefulset/varve-pageserver";

  private static Shop shop;

  /** Where what may not go is: the bucket, the source, the computes. */
  private static String home = "";

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-moves");
    home = Shop.storeNode();
    spread();
    shop.sourcesOn(home, "main-db");
    Scan.prepare(shop, "main-db");
    // Short stripes: each shard has some of the table's pages, whatever the table's number is.
    shop.tenant("acme", "shards: 2, stripe: 64");
    shop.timeline("main", "acme", "main-db", "Delete");
    shop.ready("timeline/main", START);
    eachShardHasOneHolder();
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  private static Scan scan(String name) {
    return Scan.start(shop, name, "main", "varve-acme-token", home);
  }

  /** Both shards are attached once, where the status says, with the generation that it says. */
  private static void eachShardHasOneHolder() {
    Shop.until(
        "each shard to have one holder",
        START,
        () -> {
          String status =
              shop.kubectl(
                  "get",
                  "timeline",
                  "main",
                  "-o",
                  "jsonpath={range .status.shards[*]}{.shard} {.pod} {.generation}{\"\\n\"}{end}");
          return status.lines().count() == 2 && status.equals(held());
        },
        () -> held() + "\n" + shop.kubectl("get", "timeline", "main", "-o", "yaml"));
  }

  private static String held() {
    return Pageservers.attached(shop.namespace() + ".acme/main").stream()
        .map(one -> one.shard() + " " + one.pod() + " " + one.generation())
        .sorted()
        .reduce("", (a, b) -> a.isEmpty() ? b : a + "\n" + b);
  }

  /** The pods of pageservers on a node. */
  private static List<String> pageserversOn(String node) {
    return List.of(
        Kubectl.run(
                "-n",
                Shop.SYSTEM,
                "get",
                "pods",
                "-l",
                "app.kubernetes.io/component=pageserver",
                "--field-selector=spec.nodeName=" + node,
                "-o",
                "jsonpath={.items[*].metadata.name}")
            .split(" "));
  }

  /** Two pageservers, one on each node: a drain leaves both on one. */
  private static void spread() {
    for (int i = 0; i < 3 && pageserversOn(away()).getFirst().isEmpty(); i++) {
      Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", "varve-pageserver-1");
      Shop.installed();
    }
  }

  /** The operator spreads the shards some seconds after the pageservers are spread. */
  private static void oneShardOn(String node) {
    String pod = pageserversOn(node).getFirst();
    Shop.until(
        "a shard on " + pod,
        START,
        () -> held().contains(" " + pod + " "),
        () -> held() + "\n" + shop.kubectl("get", "tenant", "acme", "-o", "yaml"));
    eachShardHasOneHolder();
  }

  private static String away() {
    return Nodes.names().stream().filter(name -> !name.equals(home)).findFirst().orElseThrow();
  }

  /** A compute that starts now has all that the source has. */
  private static void nothingIsLost(String pod) {
    shop.load("main-db", 20);
    String lsn = shop.lsn("main-db");
    String expected = shop.hashes("main-db");
    shop.computeAt(pod, "main", "acme", lsn);
    shop.ready("pod/" + pod, START);
    assertEquals(expected, shop.hashes(pod));
    shop.delete("pod", pod);
  }

  @Test
  @Order(1)
  void aPageserverIsKilled() {
    oneShardOn(away());
    String before = held();
    Scan scan = scan("scan-kill");
    kill(pageserversOn(away()).getFirst());
    Shop.until(
        "another generation",
        START,
        () -> held().lines().count() == 2 && !held().equals(before),
        MoveIT::held);
    eachShardHasOneHolder();
    shop.ready("timeline/main", START);
    scan.stop("pageserver-killed-longest-read-wait");
    nothingIsLost("after-kill");
  }

  @Test
  @Order(2)
  void aRollingRestart() {
    Shop.installed();
    eachShardHasOneHolder();
    Scan scan = scan("scan-restart");
    long start = System.nanoTime();
    Kubectl.run("-n", Shop.SYSTEM, "rollout", "restart", SET);
    Kubectl.run("-n", Shop.SYSTEM, "rollout", "status", SET, "--timeout=240s");
    Figure.print("rolling-restart", Figure.since(start));
    eachShardHasOneHolder();
    assertShort(scan.stop("rolling-restart-longest-read-wait"));
  }

  @Test
  @Order(3)
  void scaledUpAndDown() {
    Scan scan = scan("scan-scale");
    Kubectl.run("-n", Shop.SYSTEM, "scale", SET, "--replicas=3");
    Kubectl.run("-n", Shop.SYSTEM, "rollout", "status", SET, "--timeout=240s");
    Kubectl.run("-n", Shop.SYSTEM, "scale", SET, "--replicas=2");
    Kubectl.run(
        "-n", Shop.SYSTEM, "wait", "--for=delete", "pod/varve-pageserver-2", "--timeout=120s");
    eachShardHasOneHolder();
    assertShort(scan.stop("scale-2-3-2-longest-read-wait"));
  }

  @Test
  @Order(4)
  void aNodeIsDrained() {
    Scan scan = scan("scan-drain");
    try {
      long start = System.nanoTime();
      Kubectl.run(
          "drain",
          away(),
          "--ignore-daemonsets",
          "--delete-emptydir-data",
          "--force",
          "--timeout=240s");
      Figure.print("drain", Figure.since(start));
      eachShardHasOneHolder();
      assertShort(scan.stop("drain-longest-read-wait"));
    } finally {
      Kubectl.run("uncordon", away());
    }
    Shop.installed();
  }

  /** Ends a pageserver's process; without power over nodes its pod is deleted, which is kinder. */
  private static void kill(String pod) {
    if (Nodes.canControl()) {
      String container =
          Kubectl.run(
              "-n",
              Shop.SYSTEM,
              "get",
              "pod",
              pod,
              "-o",
              "jsonpath={.status.containerStatuses[0].containerID}");
      Nodes.exec(
          away(),
          "ctr",
          "-n",
          "k8s.io",
          "tasks",
          "kill",
          "-s",
          "SIGKILL",
          container.substring("containerd://".length()));
    } else {
      Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", pod, "--grace-period=0", "--force");
    }
  }

  /**
   * The goal is two seconds, which the figures are held against; the limit leaves room for a busy
   * machine, where starting JVMs take most of two cores.
   */
  private static void assertShort(Duration wait) {
    assertTrue(wait.compareTo(Duration.ofSeconds(5)) < 0, wait::toString);
  }

  @Test
  @Order(5)
  @EnabledIf(
      value = "dev.varve.e2e.Nodes#canControl",
      disabledReason = "VARVE_NODE_COMMAND names no program that stops and starts nodes")
  void aNodeLosesItsPower() {
    String node = away();
    spread();
    oneShardOn(node);
    Scan scan = scan("scan-power");
    Nodes.stop(node);
    try {
      String gone = pageserversOn(node).getFirst();
      Shop.until(
          "both shards to be served elsewhere",
          START,
          () ->
              !shop.kubectl("get", "timeline", "main", "-o", "jsonpath={.status.shards[*].pod}")
                  .contains(gone),
          () -> shop.kubectl("get", "timeline", "main", "-o", "yaml"));
      shop.ready("timeline/main", START);
    } finally {
      Nodes.start(node);
    }
    Kubectl.run("wait", "--for=condition=Ready", "node/" + node, "--timeout=120s");
    Shop.installed();
    eachShardHasOneHolder();
    scan.stop("node-without-power-longest-read-wait");
    nothingIsLost("after-power");
  }
}
