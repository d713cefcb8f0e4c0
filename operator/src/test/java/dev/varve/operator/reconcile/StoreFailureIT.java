package dev.varve.operator.reconcile;

import static dev.varve.operator.reconcile.TestCluster.SHOP;
import static dev.varve.operator.reconcile.TestCluster.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.Condition;
import dev.varve.crd.Tenant;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What becomes of timelines whose object store fails. */
@ExtendWith(SharedCluster.Resolver.class)
final class StoreFailureIT {
  private static TestCluster cluster;

  @BeforeAll
  static void find(SharedCluster shared) {
    cluster = shared.cluster();
  }

  /** It goes away under a timeline that is served, comes back empty, and then whole. */
  @Test
  void anObjectStoreThatFailsOrIsEmptiedMovesNothing() {
    String served = "10.9.3.1";
    String other = "10.9.3.2";
    String held = "shop.bucket/held";
    cluster.pageserver("st-0", served);
    cluster.tenant("bucket", 1);
    cluster.password("bucket-password", "one");
    cluster.timeline("held", "bucket", "bucket-password");
    await("served", () -> cluster.isReady("held"));
    await("the store answers", () -> cluster.hasReason("held", "StoreReachable", "Reachable"));
    cluster.pageserver("st-1", other);

    String failure = "the object store does not answer since noon";
    cluster.at(served).retainedWalBytes.set(65 << 20);
    cluster.at(served).storeFailure = failure;
    cluster.at(other).storeFailure = failure;
    await("said", () -> says("held", "StoreReachable", failure));
    await("with what is kept", () -> says("held", "StoreReachable", "more than 64 MiB"));
    assertTrue(cluster.isReady("held"));
    await(
        "the tenant says so",
        () ->
            cluster.tenant("bucket").getStatus().conditions().stream()
                .anyMatch(c -> c.reason().equals("StoreUnreachable")));
    cluster.timeline("late", "bucket", "bucket-password");
    await("refused", () -> cluster.hasReason("late", "Ready", "AttachRefused"));
    await(
        "for that",
        () -> says("late", "Ready", failure) && says("late", "StoreReachable", failure));

    cluster.leave("st-0");
    await("to be moved", () -> cluster.podsOf("bucket").equals(Set.of("st-1")));
    await("kept", () -> says("held", "Ready", "it cannot be moved"));
    assertTrue(cluster.isReady("held"));
    assertEquals(List.of(served), cluster.addresses("varve-held"));

    String stored = "shop.bucket/" + cluster.timeline("held").getStatus().timelineId();
    int generation = Objects.requireNonNull(cluster.store.remove(stored));
    cluster.at(served).storeFailure = "";
    cluster.at(other).storeFailure = "";
    await("empty", () -> cluster.hasReason("held", "StoreReachable", "ObjectsMissing"));
    await("the new one is begun", () -> cluster.isReady("late"));
    assertTrue(cluster.isReady("held"));
    assertEquals(List.of(served), cluster.addresses("varve-held"));
    assertFalse(cluster.at(served).handedOver.contains(held), "it receives on");

    cluster.at(served).attached.clear();
    await("refused", () -> cluster.hasReason("held", "Ready", "AttachRefused"));
    assertTrue(says("held", "Ready", "bring those"));
    assertNull(cluster.store.get(stored), "an emptied prefix is taken for a new timeline");

    cluster.store.put(stored, generation);
    await("served again", () -> cluster.addresses("varve-held").equals(List.of(other)));
    await("well", () -> cluster.hasReason("held", "StoreReachable", "Reachable"));
    cluster.delete(cluster.timeline("held"));
    cluster.delete(cluster.timeline("late"));
    cluster.admin.resources(Tenant.class).inNamespace(SHOP).withName("bucket").delete();
    await("the tenant is gone", () -> cluster.tenant("bucket") == null);
    cluster.remove("st-0");
    cluster.remove("st-1");
  }

  private static boolean says(String timeline, String type, String part) {
    Condition condition = TestCluster.condition(cluster.timeline(timeline), type);
    return condition != null && condition.message().contains(part);
  }
}
