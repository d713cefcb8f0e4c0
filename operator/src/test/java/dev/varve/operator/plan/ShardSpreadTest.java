package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.plan.TenantWorld.Load;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** How the shards of a tenant are spread over pods, and when one is moved to spread them again. */
final class ShardSpreadTest {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");

  private final PageserverPod a = pod("a", true, false);
  private final PageserverPod b = pod("b", true, false);
  private final PageserverPod c = pod("c", true, false);
  private final PageserverPod d = pod("d", true, false);

  // What is seen; tests change it.
  private Map<String, Load> others = Map.of();
  private List<Timeline> timelines = List.of();

  private static PageserverPod pod(String name, boolean ready, boolean leaving) {
    return new PageserverPod(
        name,
        "uid-" + name,
        "node-" + name,
        "10.0.0.1",
        Map.of(),
        ready,
        NOW.minusSeconds(100),
        leaving,
        null);
  }

  private static Tenant tenant(int shards) {
    Tenant tenant = new Tenant();
    tenant.setMetadata(new ObjectMetaBuilder().withNamespace("shop").withName("acme").build());
    tenant.setSpec(new TenantSpec(shards, 2048, DeletionPolicy.Retain, null));
    return tenant;
  }

  private TenantPlan plan(Tenant tenant, PageserverPod... pods) {
    return TenantPlanner.plan(
        new TenantWorld(
            tenant, "", List.of(pods), others, true, null, timelines, NOW, Duration.ofSeconds(10)));
  }

  /** Plans, and writes what was planned; the pods of the shards, in order. */
  private List<String> settle(Tenant tenant, PageserverPod... pods) {
    tenant.setStatus(plan(tenant, pods).status());
    return pods(tenant);
  }

  private static List<String> pods(Tenant tenant) {
    return tenant.getStatus().shards().stream().map(ShardPlacement::pod).toList();
  }

  /** A timeline that is attached where the tenant is placed, and served. */
  private static Timeline served(Tenant tenant) {
    Timeline timeline = new Timeline();
    timeline.setMetadata(new ObjectMetaBuilder().withNamespace("shop").withName("orders").build());
    timeline.setSpec(new TimelineSpec("acme", null, null));
    List<ShardAttachment> shards = new ArrayList<>();
    for (ShardPlacement shard : tenant.getStatus().shards()) {
      shards.add(
          new ShardAttachment(
              shard.shard(), shard.pod(), shard.podUid(), 1, "x", "Active", NOW.toString()));
    }
    timeline.setStatus(Measures.withShards(null, "0123456789abcdef0123456789abcdef", null, shards));
    return timeline;
  }

  private static Timeline with(Timeline timeline, int shard, ShardAttachment attachment) {
    List<ShardAttachment> shards = new ArrayList<>(timeline.getStatus().shards());
    shards.set(shard, attachment);
    timeline.setStatus(Measures.withShards(null, "0123456789abcdef0123456789abcdef", null, shards));
    return timeline;
  }

  private void assertUnchanged(Tenant tenant, PageserverPod... pods) {
    TenantPlan plan = plan(tenant, pods);
    assertEquals(tenant.getStatus(), plan.status());
    assertTrue(plan.notices().isEmpty());
    assertNull(plan.again());
  }

  @Test
  void twoAndThreeShardsAreSpreadOverTwoPods() {
    Tenant two = tenant(2);
    assertEquals(List.of("a", "b"), settle(two, a, b));
    assertEquals("2 shards are on a, b", two.getStatus().conditions().getFirst().message());
    assertUnchanged(two, a, b);

    Tenant three = tenant(3);
    assertEquals(List.of("a", "b", "a"), settle(three, a, b));
    assertUnchanged(three, a, b);
  }

  @Test
  void ownShardsAreSpreadThoughOneHasMoreOfOthers() {
    others = Map.of("uid-a", new Load(9, 0));
    Tenant tenant = tenant(2);
    assertEquals(List.of("b", "a"), settle(tenant, a, b));
    assertUnchanged(tenant, a, b);
  }

  @Test
  void onlyTheShardsOfALostPodMove() {
    Tenant tenant = tenant(4);
    assertEquals(List.of("a", "b", "c", "a"), settle(tenant, a, b, c));
    assertEquals(List.of("b", "b", "c", "c"), settle(tenant, b, c));
    assertEquals(2, tenant.getStatus().shards().getFirst().placements());
    assertEquals(1, tenant.getStatus().shards().get(1).placements());
  }

  @Test
  void leavingPodIsLeftAtOnceAndWithoutAnotherItIsWaitedFor() {
    Tenant tenant = tenant(2);
    settle(tenant, a, b);
    PageserverPod leaving = pod("a", true, true);
    assertEquals("b", plan(tenant, leaving, b).status().shards().getFirst().pod());

    TenantPlan none = plan(tenant, leaving, pod("b", false, false));
    assertEquals(List.of("a", "b"), none.status().shards().stream().map(s -> s.pod()).toList());
    assertEquals("False", none.status().conditions().getFirst().status());
  }

  @Test
  void oneShardAtATimeGoesToAPodThatIsAdded() {
    Tenant tenant = tenant(6);
    settle(tenant, a, b);
    assertEquals(List.of("a", "b", "a", "b", "a", "b"), pods(tenant));
    Timeline timeline = served(tenant);
    timelines = List.of(timeline);

    TenantPlan first = plan(tenant, a, b, c);
    assertEquals(1, first.notices().size());
    assertTrue(first.notices().getFirst().message().contains("which has more"));
    tenant.setStatus(first.status());
    assertEquals(List.of("a", "b", "a", "b", "a", "c"), pods(tenant));

    // The timeline is on its way: nothing else moves.
    assertUnchanged(tenant, a, b, c);
    timelines =
        List.of(
            with(served(tenant), 5, new ShardAttachment(5, "c", "uid-c", 2, "x", "Loading", null)));
    assertUnchanged(tenant, a, b, c);

    // There now.
    timelines = List.of(served(tenant));
    assertEquals(List.of("a", "b", "a", "b", "c", "c"), settle(tenant, a, b, c));
    timelines = List.of(served(tenant));
    assertUnchanged(tenant, a, b, c);
  }

  @Test
  void tenantsOfOneShardAreSpreadOverPodsByAll() {
    Tenant tenant = tenant(1);
    settle(tenant, a);
    others = Map.of("uid-a", new Load(1, 0));
    assertEquals(List.of("b"), settle(tenant, a, b));
    others = Map.of("uid-a", new Load(0, 0));
    assertUnchanged(tenant, a, b);
  }

  @Test
  void differenceOfOneIsABalance() {
    Tenant tenant = tenant(1);
    settle(tenant, a);
    assertUnchanged(tenant, a, b);
    others = Map.of("uid-a", new Load(3, 0), "uid-b", new Load(3, 0));
    assertUnchanged(tenant, a, b);
  }

  @Test
  void nothingIsSpreadWhileAPodIsNotReady() {
    Tenant tenant = tenant(4);
    settle(tenant, a, b);
    PageserverPod blinking =
        new PageserverPod(
            "b", "uid-b", "node-b", "10.0.0.1", Map.of(), false, NOW.minusSeconds(1), false, null);
    assertEquals(
        List.of("a", "b", "a", "b"),
        plan(tenant, a, blinking, c, d).status().shards().stream().map(s -> s.pod()).toList());
  }

  @Test
  void movesComeToAnEnd() {
    Tenant tenant = tenant(64);
    settle(tenant, a);
    others = Map.of("uid-b", new Load(7, 0), "uid-c", new Load(1, 0));
    int moves = 0;
    for (TenantPlan plan = plan(tenant, a, b, c, d);
        !plan.notices().isEmpty();
        plan = plan(tenant, a, b, c, d)) {
      tenant.setStatus(plan.status());
      moves++;
      assertTrue(moves <= 64, "moves without end");
    }
    assertEquals(48, moves);
    for (PageserverPod pod : List.of(a, b, c, d)) {
      assertEquals(16, pods(tenant).stream().filter(pod.name()::equals).count());
    }
  }

  @Test
  void timelineIsServedWhenEveryShardOfItIs() {
    Tenant tenant = tenant(2);
    settle(tenant, a, b);
    assertTrue(TenantPlanner.isServed(served(tenant)));
    ShardAttachment broken = new ShardAttachment(1, "b", "uid-b", 1, "x", "Broken", NOW.toString());
    assertFalse(TenantPlanner.isServed(with(served(tenant), 1, broken)));
  }
}
