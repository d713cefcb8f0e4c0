package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Isolated;

/** Pods of the official image on a timeline of a running primary. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Isolated("it takes away what others need")
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class DatabasePodIT {
  private static final Duration START = Duration.ofMinutes(2);

  private static Shop shop;

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-pods");
    shop.sources("orders-db");
    long start = System.nanoTime();
    // Short stripes: a table of pgbench's is on both.
    shop.tenant("acme", "shards: 2, stripe: 64");
    shop.timeline("orders", "acme", "orders-db", "Delete");
    shop.ready("timeline/orders", START);
    Figure.print("apply-to-ready", Figure.since(start));
    shop.ready("tenant/acme", START);
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  /** The time from an apply to a row of a table. */
  private static Duration firstRow(String pod, Runnable apply) {
    long start = System.nanoTime();
    apply.run();
    Shop.until(
        "a first row in " + pod,
        START,
        () -> Kubectl.sql(shop.namespace(), pod, "select * from pgbench_branches").ok(),
        () -> shop.kubectl("describe", "pod", pod));
    return Figure.since(start);
  }

  @Test
  @Order(1)
  void twoPodsAnswerWithTheSourcesTables() {
    shop.load("orders-db", 100);
    String expected = shop.hashes("orders-db");
    String lsn = shop.lsn("orders-db");
    String elsewhere = shop.nodeWithout("orders-db");
    boolean cold = !Shop.hasImage(elsewhere);
    Figure.print(
        "pod-to-first-row-image-" + (cold ? "absent" : "present"),
        firstRow(
            "first",
            () -> shop.pod("first", "orders", "varve-acme-token", ", lsn: " + lsn, elsewhere)));
    Figure.print(
        "pod-to-first-row-image-present",
        firstRow(
            "second",
            () -> shop.pod("second", "orders", "varve-acme-token", ", lsn: " + lsn, elsewhere)));
    assertEquals(expected, shop.hashes("first"));
    assertEquals(expected, shop.hashes("second"));
    shop.query("first", "create table written as select 1 as i; checkpoint");
    assertEquals("1", shop.query("first", "select i from written"));
    assertEquals("t", shop.query("second", "select to_regclass('written') is null"));
    shop.delete("pod", "first", "second");
  }

  @Test
  @Order(2)
  void aScanRidesThroughTheLossOfPageservers() {
    String expected = shop.hashes("orders-db");
    shop.computeAt("scan", "orders", "acme", shop.lsn("orders-db"));
    shop.ready("pod/scan", START);
    Kubectl.run(
        "-n",
        Shop.SYSTEM,
        "delete",
        "pod",
        "-l",
        "app.kubernetes.io/component=pageserver",
        "--grace-period=0",
        "--force",
        "--wait=false");
    long start = System.nanoTime();
    String actual = shop.hashes("scan");
    Figure.print("kill-of-all-pageservers-to-scan-answered", Figure.since(start));
    assertEquals(expected, actual);
    shop.ready("timeline/orders", START);
    shop.delete("pod", "scan");
  }
}
