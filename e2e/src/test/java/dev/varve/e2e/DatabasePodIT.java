package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** Pods of the official image on a timeline of a running primary. */
@EnabledIf(
    value = "dev.varve.e2e.Kubectl#hasCluster",
    disabledReason = "KUBECONFIG names no cluster")
final class DatabasePodIT {
  private static final Duration START = Duration.ofMinutes(2);

  private static Shop shop;

  @BeforeAll
  static void attach() {
    shop = Shop.open("e2e-pods");
    shop.source("orders-db");
    shop.tenant("acme", "");
    shop.timeline("orders", "acme", "orders-db", "deletionPolicy: Delete");
    shop.ready("tenant/acme", START);
    shop.ready("timeline/orders", START);
  }

  @AfterAll
  static void detach() {
    shop.close();
  }

  @Test
  void twoPodsAnswerWithTheSourcesTables() {
    shop.load("orders-db", 100);
    shop.caughtUp("orders", "orders-db");
    String expected = shop.hashes("orders-db");
    shop.compute("first", "orders", "acme");
    shop.compute("second", "orders", "acme");
    shop.ready("pod/first", START);
    shop.ready("pod/second", START);
    assertEquals(expected, shop.hashes("first"));
    assertEquals(expected, shop.hashes("second"));
    Kubectl.query(shop.namespace(), "first", "create table written as select 1 as i; checkpoint");
    assertEquals("1", Kubectl.query(shop.namespace(), "first", "select i from written"));
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "first", "second", "--timeout=60s");
  }

  @Test
  void aScanRidesThroughTheLossOfPageservers() {
    shop.caughtUp("orders", "orders-db");
    String expected = shop.hashes("orders-db");
    shop.compute("scan", "orders", "acme");
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
    System.out.printf(
        "kill of all pageservers -> scan answered: %d ms%n",
        (System.nanoTime() - start) / 1_000_000);
    assertEquals(expected, actual);
    shop.ready("timeline/orders", START);
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "scan", "--timeout=60s");
  }

  @Test
  void aTokenOfAnotherTenantReadsNothing() {
    shop.tenant("other", "");
    shop.ready("tenant/other", START);
    shop.compute("thief", "orders", "other");
    Shop.until(
        "an event that refuses the volume",
        START,
        () ->
            Kubectl.run(
                    "-n",
                    shop.namespace(),
                    "get",
                    "events",
                    "--field-selector=involvedObject.name=thief")
                .contains("token"),
        () -> Kubectl.run("-n", shop.namespace(), "describe", "pod", "thief"));
    assertFalse(Kubectl.sql(shop.namespace(), "thief", "select 1").ok());
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "thief", "--timeout=60s");
    Kubectl.run("-n", shop.namespace(), "delete", "tenant", "other", "--timeout=60s");
  }

  @Test
  void aWrongPasswordIsAConditionThatHealsWithItsCause() {
    shop.source("late-db");
    Kubectl.run(
        "-n",
        shop.namespace(),
        "patch",
        "secret",
        "late-db-replication",
        "-p",
        "{\"stringData\":{\"password\":\"wrong\"}}");
    shop.timeline("late", "acme", "late-db", "deletionPolicy: Delete");
    Shop.until(
        "a condition that names the password",
        START,
        () -> shop.condition("timeline", "late", "Ready").matches("(?s)False .*password.*"),
        () -> Kubectl.run("-n", shop.namespace(), "get", "timeline", "late", "-o", "yaml"));
    Kubectl.run(
        "-n",
        shop.namespace(),
        "patch",
        "secret",
        "late-db-replication",
        "-p",
        "{\"stringData\":{\"password\":\"correct-horse\"}}");
    shop.ready("timeline/late", START);
    Kubectl.run("-n", shop.namespace(), "delete", "timeline", "late", "--timeout=120s");
    assertEquals(
        "0",
        Kubectl.query(shop.namespace(), "late-db", "select count(*) from pg_replication_slots"));
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "late-db", "--timeout=60s");
  }

  @Test
  void whatWasRetainedIsServedAgainWithoutItsSource() {
    shop.source("gone-db");
    shop.timeline("kept", "acme", "gone-db", "deletionPolicy: Retain");
    shop.ready("timeline/kept", START);
    shop.caughtUp("kept", "gone-db");
    String expected = shop.hashes("gone-db");
    String lsn = Kubectl.query(shop.namespace(), "gone-db", "select pg_current_wal_flush_lsn()");
    Shop.until(
        lsn + " to be published",
        START,
        () -> shop.published("kept", lsn),
        () -> Kubectl.run("-n", shop.namespace(), "get", "timeline", "kept", "-o", "yaml"));
    Kubectl.run("-n", shop.namespace(), "delete", "timeline", "kept", "--timeout=120s");
    assertEquals(
        "0",
        Kubectl.query(shop.namespace(), "gone-db", "select count(*) from pg_replication_slots"));
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "gone-db", "--timeout=60s");
    Kubectl.apply(
        shop.namespace(),
        """
        apiVersion: varve.dev/v1alpha1
        kind: Timeline
        metadata: {name: kept}
        spec: {tenant: acme, deletionPolicy: Delete}
        """);
    shop.ready("timeline/kept", START);
    shop.compute("again", "kept", "acme");
    shop.ready("pod/again", START);
    assertEquals(expected, shop.hashes("again"));
    Kubectl.run("-n", shop.namespace(), "delete", "pod", "again", "--timeout=60s");
    Kubectl.run("-n", shop.namespace(), "delete", "timeline", "kept", "--timeout=120s");
  }

  @Test
  void killedOperatorsLeaveTheSameEnd() throws Exception {
    CompletableFuture<Void> killer =
        CompletableFuture.runAsync(() -> {
          for (int i = 0; i < 5; i++) {
            Kubectl.attempt(
                "-n",
                Shop.SYSTEM,
                "delete",
                "pod",
                "-l",
                "app.kubernetes.io/component=operator",
                "--grace-period=0",
                "--force");
          }
        });
    for (int i = 0; i < 3; i++) {
      shop.tenant("brief-" + i, "");
    }
    killer.get();
    for (int i = 0; i < 3; i++) {
      shop.ready("tenant/brief-" + i, START);
      Kubectl.run("-n", shop.namespace(), "delete", "tenant", "brief-" + i, "--timeout=60s");
    }
    assertTrue(Kubectl.run("-n", shop.namespace(), "get", "tenants").contains("acme"));
  }
}
