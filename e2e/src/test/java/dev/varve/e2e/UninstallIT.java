package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/** Varve is taken away as {@code docs/operations/install.md} says, and nothing stays. */
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class UninstallIT {
  private static final Duration START = Duration.ofMinutes(2);

  @AfterAll
  static void installAgain() {
    Kubectl.run("apply", "-k", "../deploy/overlays/laptop");
    Shop.installed();
  }

  @Test
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
    Shop.until("no object to stay", START, () -> objects().isEmpty(), UninstallIT::objects);
    Shop.until(
        "no node to have the driver",
        START,
        () -> !drivers().contains("varve.dev"),
        UninstallIT::drivers);
    if (Nodes.canControl()) {
      for (String node : Nodes.names()) {
        assertEquals("", onNode(node));
      }
    }
    Kubectl.run("delete", "namespace", shop.namespace(), "--wait=false");
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
        "find /var/lib/kubelet -name '*varve*'; grep ' fuse' /proc/self/mounts || true");
  }
}
