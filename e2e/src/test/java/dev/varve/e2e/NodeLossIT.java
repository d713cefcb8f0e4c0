package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * The object store, the source and the pageserver of a timeline are on three nodes, and the
 * pageserver's loses its power under a compute whose every read goes to the pageserver: its table
 * is eighty times as large as PostgreSQL's buffers, and no page of it is read twice.
 */
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.NodeLossIT#canBe",
    disabledReason =
        "KUBECONFIG names no cluster of three nodes, or VARVE_NODE_COMMAND no program that stops them")
final class NodeLossIT {
  private static final Duration START = Duration.ofMinutes(2);

  /** Of 80 MB of a table. */
  private static final String SMALL_BUFFERS = ", settings: \"shared_buffers = 1MB\"";

  private static Shop shop;

  /** Where the pageserver is that goes: nothing else of Varve but an agent without volumes. */
  private static String lost = "";

  /** Where source and compute are. */
  private static String home = "";

  /** For {@code @EnabledIf}. */
  static boolean canBe() {
    return Nodes.canControl() && Nodes.names().size() >= 3;
  }

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-node-loss");
    String store = Shop.storeNode();
    List<String> others = Nodes.names().stream().filter(node -> !node.equals(store)).toList();
    lost = others.getFirst();
    home = others.get(1);
    onlyOnePageserverOn(lost);
    shop.sourcesOn(home, "main-db");
    Scan.prepare(shop, "main-db");
    shop.tenant("acme", "");
    shop.timeline("main", "acme", "main-db", "Delete");
    shop.ready("timeline/main", START);
    if (!pageservers(lost).contains(holder())) {
      Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", holder());
      Shop.until(
          "the timeline to move to " + lost,
          START,
          () -> pageservers(lost).contains(holder()),
          () -> shop.kubectl("get", "timeline", "main", "-o", "yaml"));
      Shop.installed();
    }
    shop.ready("timeline/main", START);
  }

  @AfterAll
  static void detach() {
    Kubectl.attempt("uncordon", lost);
    Kubectl.attempt("uncordon", home);
    shop.close();
  }

  /** Moves what else there is, operators and all, to other nodes, which stay closed meanwhile. */
  private static void onlyOnePageserverOn(String node) {
    List<String> others = Nodes.names().stream().filter(name -> !name.equals(node)).toList();
    while (pageservers(node).isEmpty()) {
      others.forEach(other -> Kubectl.run("cordon", other));
      Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", Pageservers.pods().getLast());
      Shop.installed();
      others.forEach(other -> Kubectl.run("uncordon", other));
    }
    Kubectl.run("cordon", node);
    for (String more : pageservers(node).stream().skip(1).toList()) {
      Kubectl.run("-n", Shop.SYSTEM, "delete", "pod", more);
    }
    Kubectl.run("-n", Shop.SYSTEM, "rollout", "restart", "deployment/varve-operator");
    Shop.installed();
    assertEquals(
        pageservers(node),
        Arrays.stream(
                Kubectl.run(
                        "get",
                        "pods",
                        "--all-namespaces",
                        "--field-selector=spec.nodeName=" + node,
                        "-o",
                        "jsonpath={.items[*].metadata.name}")
                    .split(" ", -1))
            .filter(pod -> !pod.startsWith("varve-agent-"))
            .toList());
  }

  private static List<String> pageservers(String node) {
    return Pageservers.pods().stream().filter(pod -> Pageservers.node(pod).equals(node)).toList();
  }

  /** The pod that serves the timeline, by its status. */
  private static String holder() {
    return shop.kubectl("get", "timeline", "main", "-o", "jsonpath={.status.shards[0].pod}");
  }

  @Test
  void thePageserversNodeLosesItsPower() {
    String gone = holder();
    Scan scan = Scan.start(shop, "scan", "main", "varve-acme-token", SMALL_BUFFERS, home);
    assertTrue(Pageservers.pagesRead(gone, "main") >= scan.pages());
    String successor;
    Nodes.stop(lost);
    try {
      Shop.until(
          "another pageserver to serve",
          START,
          () -> !holder().equals(gone) && Pageservers.pagesRead(holder(), "main") > 0,
          () -> shop.kubectl("get", "timeline", "main", "-o", "yaml"));
      successor = holder();
      assertNotEquals(lost, Pageservers.node(successor));
      int before = scan.pages();
      long read = Pageservers.pagesRead(successor, "main");
      Shop.until("the scan to go on", START, () -> scan.pages() >= before + 100, null);
      assertTrue(Pageservers.pagesRead(successor, "main") >= read + 100);
      shop.ready("timeline/main", START);
      scan.stop("pageserver-node-lost-longest-read-wait");
      shop.load("main-db", 20);
      String expected = shop.hashes("main-db");
      shop.computeAt("after", "main", "acme", shop.lsn("main-db"), home);
      shop.ready("pod/after", START);
      assertEquals(expected, shop.hashes("after"));
      shop.delete("pod", "after");
    } finally {
      Nodes.start(lost);
    }
    Kubectl.run("wait", "--for=condition=Ready", "node/" + lost, "--timeout=120s");
    Kubectl.run("uncordon", lost);
    Shop.installed();
    shop.ready("timeline/main", START);
    assertEquals(1, Pageservers.attached(shop.namespace() + ".acme/main").size());
  }
}
