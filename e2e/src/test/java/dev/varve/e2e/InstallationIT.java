package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Varve is taken away as {@code docs/operations/install.md} says, and nothing stays; installed
 * again it takes little memory.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class InstallationIT {
  private static final Duration START = Duration.ofMinutes(2);

  /** Of an installation on two nodes, and of an agent on each further one. */
  private static final long IDLE_BYTES = 800_000_000;

  private static final long AGENT_BYTES = 100_000_000;

  /** The overlay is applied again even where a test failed. */
  @AfterAll
  static void installAgain() {
    Kubectl.run("apply", "-k", "../deploy/overlays/laptop");
    Shop.installed();
  }

  @Test
  @Order(1)
  void nothingStays() throws Exception {
    Shop shop = Shop.open("e2e-uninstall");
    shop.sources("main-db");
    shop.tenant("acme", "");
    shop.timeline("main", "acme", "main-db", "Retain");
    shop.ready("timeline/main", START);
    shop.compute("database", "main", "acme");
    shop.ready("pod/database", START);
    assertNotEquals("", objects());
    shop.delete("pod", "database");

    Kubectl.Result done =
        Runbook.paste(
            Runbook.lines("operations/install.md", "Taking it away")
                .replace("deploy/overlays/production", "../deploy/overlays/laptop"));

    assertTrue(done.ok(), done.output());
    assertEquals("", shop.slots("main-db"));
    Shop.until("no object to stay", START, () -> objects().isEmpty(), InstallationIT::objects);
    Shop.until(
        "no node to have the driver",
        START,
        () -> !drivers().contains("varve.dev"),
        InstallationIT::drivers);
    if (Nodes.canControl()) {
      for (String node : Nodes.names()) {
        assertEquals("", onNode(node));
      }
    }
    Kubectl.run("delete", "namespace", shop.namespace(), "--wait=false");
  }

  /** One timeline was copied; what the programs hold then they cannot give back. */
  @Test
  @Order(2)
  void anIdleInstallationIsSmall() {
    Shop shop = Shop.open("e2e-idle");
    shop.sources("main-db");
    Scan.prepare(shop, "main-db");
    shop.tenant("acme", "");
    shop.timeline("main", "acme", "main-db", "Delete");
    shop.ready("timeline/main", START);
    shop.published("main-db");
    long most = IDLE_BYTES + AGENT_BYTES * Math.max(0, Nodes.names().size() - 2);
    Shop.until(
        "Varve to take less than " + most + " bytes",
        START,
        () -> sum(memory()) < most,
        () -> memory().toString());
    SortedMap<String, Long> programs = memory();
    programs.forEach((pod, bytes) -> System.out.println(pod + " " + bytes));
    Figure.print("idle-installation-memory", sum(programs) / 1e6, "MB");
    shop.close();
  }

  private static long sum(SortedMap<String, Long> programs) {
    return programs.values().stream().mapToLong(Long::longValue).sum();
  }

  /** What each of Varve's pods takes, without cached files, as the kubelets know it. */
  private static SortedMap<String, Long> memory() {
    Pattern pod =
        Pattern.compile(
            "\"name\": \"([^\"]*)\",\\s*\"namespace\": \"(?:"
                + String.join("|", Shop.SYSTEM, Shop.AGENTS, Shop.STORE)
                + ")\".*?\"rssBytes\": (\\d+)",
            Pattern.DOTALL);
    return Nodes.findStatistics(pod)
        .collect(
            Collectors.toMap(
                match -> match.group(1),
                match -> Long.parseLong(match.group(2)),
                (one, other) -> other,
                TreeMap::new));
  }

  /** Everything of Varve's that the API server has, but events. */
  private static String objects() {
    List<String> kinds =
        Kubectl.run("api-resources", "--verbs=list", "-o", "name")
            .lines()
            .filter(kind -> !kind.startsWith("events"))
            .toList();
    return Kubectl.run(
            "get",
            String.join(",", kinds),
            "--all-namespaces",
            "--ignore-not-found",
            "-o",
            "jsonpath={range .items[*]}{.kind} {.metadata.namespace} {.metadata.name}{\"\\n\"}{end}")
        .lines()
        .filter(line -> line.contains("varve"))
        .collect(Collectors.joining("\n"));
  }

  private static String drivers() {
    return Kubectl.run("get", "csinodes", "-o", "jsonpath={.items[*].spec.drivers[*].name}");
  }

  private static String onNode(String node) {
    return Nodes.exec(
        node,
        "bash",
        "-c",
        "find /var/lib/kubelet -name '*varve*'; grep ' fuse[ .]' /proc/self/mounts || true");
  }
}
