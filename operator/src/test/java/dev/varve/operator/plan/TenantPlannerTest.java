package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.Condition;
import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.Placement;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.plan.TenantWorld.Load;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Where a shard goes, and when it stays. */
final class TenantPlannerTest {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");
  private static final Duration GRACE = Duration.ofSeconds(10);

  private final PageserverPod a = pod("a", "node-1");
  private final PageserverPod b = pod("b", "node-2");

  private static PageserverPod pod(String name, String node) {
    return new PageserverPod(
        name, "uid-" + name, node, "10.0.0.1", Map.of(), true, NOW.minusSeconds(100), false, null);
  }

  private static PageserverPod unready(PageserverPod pod, int secondsAgo) {
    return pod.unreadySince(NOW.minusSeconds(secondsAgo));
  }

  private static Tenant tenant() {
    Tenant tenant = new Tenant();
    tenant.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName("acme")
            .withUid("t")
            .withGeneration(3L)
            .build());
    return tenant;
  }

  private static Tenant placedOn(PageserverPod pod) {
    Tenant tenant = tenant();
    tenant.setStatus(plan(tenant, List.of(pod), Map.of()).status());
    return tenant;
  }

  private static TenantPlan plan(
      Tenant tenant, List<PageserverPod> pods, Map<String, Load> loads, Timeline... timelines) {
    return TenantPlanner.plan(
        new TenantWorld(tenant, "", pods, loads, true, null, List.of(timelines), NOW, GRACE));
  }

  private static Timeline timeline(String name) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withNamespace("shop").withName(name).build());
    timeline.setSpec(new TimelineSpec("acme", null, null));
    return timeline;
  }

  private static String podOf(TenantPlan plan) {
    return plan.status().shards().getFirst().pod();
  }

  private static Condition ready(TenantPlan plan) {
    return plan.status().conditions().getFirst();
  }

  @Test
  void goesToTheFewestShardsThenTheEmptierNodeThenTheFewestBytes() {
    assertEquals("b", podOf(plan(tenant(), List.of(a, b), Map.of("uid-a", new Load(2, 0)))));
    PageserverPod c = pod("c", "node-1");
    assertEquals(
        "b",
        podOf(
            plan(
                tenant(),
                List.of(a, b, c),
                Map.of(
                    "uid-a", new Load(1, 5), "uid-b", new Load(1, 900), "uid-c", new Load(1, 5)))));
    assertEquals(
        "c",
        podOf(
            plan(
                tenant(),
                List.of(a, c),
                Map.of("uid-a", new Load(1, 9), "uid-c", new Load(1, 5)))));
  }

  @Test
  void firstPlacementIsReadyAndTold() {
    TenantPlan plan = plan(tenant(), List.of(a), Map.of(), timeline("orders"));
    assertEquals("True", ready(plan).status());
    assertEquals("shop.acme", plan.status().tenantId());
    assertEquals("varve-acme-token", plan.status().tokenSecret());
    assertEquals(3, plan.status().observedGeneration());
    assertEquals(1, plan.status().timelines());
    assertEquals(List.of(Notice.normal("Placed", "shard 0 is on a")), plan.notices());
    assertFalse(plan.makeToken());
  }

  @Test
  void waitsForTheGraceThenMoves() {
    Tenant tenant = placedOn(a);
    TenantPlan waiting = plan(tenant, List.of(unready(a, 4), b), Map.of());
    assertEquals("a", podOf(waiting));
    assertEquals(ShardPlacement.State.Waiting, waiting.status().shards().getFirst().state());
    assertEquals("PageserverNotReady", ready(waiting).reason());
    assertEquals(Duration.ofSeconds(6), waiting.again());

    TenantPlan moved = plan(tenant, List.of(unready(a, 10), b), Map.of());
    assertEquals("b", podOf(moved));
    assertEquals(2, moved.status().shards().getFirst().placements());
    assertEquals("Moved", moved.notices().getFirst().reason());
  }

  @Test
  void theGraceBeginsWithTheFirstThatIsKnown() {
    PageserverPod found = unready(a, 1);
    assertEquals(unready(a, 10), found.unreadySince(NOW.minusSeconds(10)));
    assertEquals(found, found.unreadySince(NOW));
  }

  @Test
  void silenceCountsBesideWhatKubernetesSays() {
    assertEquals(a, a.silentSince(NOW.minusSeconds(9), GRACE, NOW));
    assertEquals(unready(a, 11), a.silentSince(NOW.minusSeconds(11), GRACE, NOW));
    assertEquals(unready(a, 5), unready(a, 1).silentSince(NOW.minusSeconds(5), GRACE, NOW));
  }

  @Test
  void staysWhereItIsWhenThereIsNoOther() {
    TenantPlan plan = plan(placedOn(a), List.of(unready(a, 100), unready(b, 100)), Map.of());
    assertEquals("a", podOf(plan));
    assertEquals("False", ready(plan).status());
  }

  @Test
  void movesAtOnceFromAPodThatLeavesOrWasMadeAnew() {
    PageserverPod leaving =
        new PageserverPod(
            a.name(), a.uid(), a.node(), a.address(), a.labels(), true, a.readySince(), true, null);
    assertEquals("b", podOf(plan(placedOn(a), List.of(leaving, b), Map.of())));
    PageserverPod anew =
        new PageserverPod("a", "uid-a2", "node-1", "10.0.0.9", Map.of(), true, NOW, false, null);
    TenantPlan plan = plan(placedOn(a), List.of(anew), Map.of());
    assertEquals("uid-a2", plan.status().shards().getFirst().podUid());
    assertTrue(plan.notices().getFirst().message().contains("which is gone"));
  }

  @Test
  void followsItsLabels() {
    PageserverPod fast =
        new PageserverPod(
            "f", "uid-f", "node-1", "10.0.0.3", Map.of("disk", "fast"), true, NOW, false, null);
    Tenant tenant = placedOn(a);
    tenant.setSpec(
        new TenantSpec(1, 2048, DeletionPolicy.Retain, new Placement(Map.of("disk", "fast"))));
    assertEquals("f", podOf(plan(tenant, List.of(a, fast), Map.of())));
    Tenant fresh = tenant();
    fresh.setSpec(tenant.getSpec());
    assertTrue(ready(plan(fresh, List.of(a, b), Map.of())).message().contains("pageserverLabels"));
  }

  @Test
  void saysWhatToDoWithoutPageservers() {
    TenantPlan none = plan(tenant(), List.of(), Map.of());
    assertEquals("NoPageserver", ready(none).reason());
    assertTrue(ready(none).message().contains("install or scale up"));
    TenantPlan unready = plan(tenant(), List.of(unready(a, 1)), Map.of());
    assertTrue(ready(unready).message().contains("none of the 1 pageservers is ready"));
  }

  @Test
  void deletionNamesTheTimelinesInTheWay() {
    Tenant tenant = placedOn(a);
    tenant.getMetadata().setDeletionTimestamp("2026-01-01T11:59:00Z");
    assertTrue(
        ready(plan(tenant, List.of(a), Map.of(), timeline("orders")))
            .message()
            .contains("delete orders"));
  }

  @Test
  void nothingGoesWithoutNeedWhereTheStoreFails() {
    StoreFailure away = new StoreFailure(Reason.StoreUnreachable, "it does not answer");
    Map<String, Load> loads = Map.of("uid-b", new Load(9, 0));
    assertEquals("b", podOf(plan(tenant(), List.of(a.withStore(away), b), loads)));
    TenantPlan plan = plan(tenant(), List.of(a.withStore(away), b.withStore(away)), loads);
    assertEquals("a", podOf(plan));
    Condition store = plan.status().conditions().get(1);
    assertEquals("StoreReachable False", store.type() + " " + store.status());
    assertEquals("StoreUnreachable", store.reason());
  }

  @Test
  void storeIsAsTheTimelinesSay() {
    Timeline orders = timeline("orders");
    orders.setStatus(
        new TimelineStatus(
            1L,
            List.of(
                new Condition("StoreReachable", "False", "ObjectsMissing", "it is empty", "t", 1L)),
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            100L << 20,
            null,
            null,
            null,
            null,
            null));
    Condition store =
        plan(tenant(), List.of(a), Map.of(), orders, timeline("other"))
            .status()
            .conditions()
            .get(1);
    assertEquals("False ObjectsMissing", store.status() + " " + store.reason());
    assertEquals(
        "of Timelines orders, whose primaries keep more than 64 MiB of WAL; of orders: it is empty",
        store.message());
    assertEquals(
        "True",
        plan(tenant(), List.of(a), Map.of(), timeline("other"))
            .status()
            .conditions()
            .get(1)
            .status());
  }

  @Test
  void conditionKeepsItsTimeWhileItsStatusStays() {
    Tenant tenant = tenant();
    TenantStatus status = plan(tenant, List.of(), Map.of()).status();
    tenant.setStatus(status);
    TenantPlan later =
        TenantPlanner.plan(
            new TenantWorld(
                tenant,
                "",
                List.of(),
                Map.of(),
                true,
                null,
                List.of(),
                NOW.plusSeconds(60),
                GRACE));
    assertEquals(status, later.status());
  }
}
