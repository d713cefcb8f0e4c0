package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.operator.plan.Report.State;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlan.Detach;
import dev.varve.operator.plan.TimelinePlan.HandOver;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The steps of a move, one plan after the other. Two shards are on A and B; shard 0 moves to C, and
 * nothing of that is to be seen of shard 1.
 */
final class ShardMoveTest {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");
  private static final PageserverPod A = pod("a");
  private static final PageserverPod B = pod("b");
  private static final PageserverPod C = pod("c");

  private final Timeline timeline = new Timeline();

  // What is seen; tests change it. Of shard 0 but for the last.
  private PageserverPod placed = A;
  private boolean heard = true;
  private final Map<PageserverPod, Report> holders = new LinkedHashMap<>();
  private @Nullable Refusal refusal;
  private @Nullable Instant handOverSince;
  private Instant now = NOW;
  private Report next = report(5, State.Active, 0x900);

  private static PageserverPod pod(String name) {
    return new PageserverPod(
        name, "uid-" + name, "node", "10.0.0.1", Map.of(), true, NOW, name.equals("a"), null);
  }

  private static Report report(int generation, State state, long receivedLsn) {
    return new Report(
        generation,
        state,
        "",
        7,
        17,
        state == State.Loading ? 0 : 0x28,
        receivedLsn,
        receivedLsn,
        state == State.Active ? 10L : 30L,
        0.4,
        4096,
        1024,
        new SourceCost(0, 0, 0, false),
        null,
        List.of(),
        null);
  }

  private TimelinePlan plan() {
    List<Holder> first = new ArrayList<>();
    holders.forEach((pod, report) -> first.add(new Holder(pod, report)));
    return TimelinePlanner.plan(
        new TimelineWorld(
            timeline,
            new Tenant(),
            "token",
            "key",
            null,
            null,
            null,
            "",
            0,
            List.of(
                new ShardWorld(0, placed, heard, first, refusal, handOverSince, 0),
                new ShardWorld(1, B, true, List.of(new Holder(B, next)), null, null, 0)),
            now));
  }

  private TimelinePlan write(TimelinePlan plan) {
    timeline.setStatus(plan.status());
    return plan;
  }

  /** Both attached with generation 5, served, and B's reader long there. */
  @BeforeEach
  void attach() {
    timeline.setMetadata(
        new ObjectMetaBuilder().withNamespace("shop").withName("orders").withUid("u-1").build());
    timeline.setSpec(new TimelineSpec("acme", null, null));
    placed = new PageserverPod("a", "uid-a", "node", "10.0.0.1", Map.of(), true, NOW, false, null);
    Map<Attach, Integer> generations = new LinkedHashMap<>();
    plan().attaches().forEach(a -> generations.put(a, 5));
    assertEquals(2, generations.size());
    timeline.setStatus(TimelinePlanner.raised(timeline, generations));
    holders.put(A, report(5, State.Active, 0x1000));
    now = NOW.minusSeconds(100);
    write(plan());
    now = NOW;
    assertUnchanged();
    assertEquals("True", ready(plan()).status());
    assertEquals("all 2 shards are served", ready(plan()).message());
    placed = C;
  }

  private void assertUnchanged() {
    TimelinePlan plan = plan();
    assertEquals(timeline.getStatus(), plan.status());
    assertTrue(plan.handOvers().isEmpty() && plan.attaches().isEmpty());
    assertTrue(plan.detaches().isEmpty() && plan.notices().isEmpty());
    assertNull(plan.again());
  }

  private static Condition ready(TimelinePlan plan) {
    return plan.status().conditions().getFirst();
  }

  private static void assertLeadsTo(@Nullable PageserverPod pod, TimelinePlan plan) {
    assertEquals(Optional.ofNullable(pod), plan.endpoints().getFirst());
    assertEquals(Optional.of(B), plan.endpoints().getLast());
  }

  private static Attach attachOnly(TimelinePlan plan) {
    assertTrue(plan.handOvers().isEmpty());
    assertEquals(1, plan.attaches().size());
    return plan.attaches().getFirst();
  }

  private ShardAttachment attachment() {
    return timeline.getStatus().shards().getFirst();
  }

  @Test
  void movesWithoutAGap() {
    TimelinePlan first = plan();
    assertEquals(List.of(new HandOver(0, A, C)), first.handOvers());
    assertTrue(first.attaches().isEmpty());
    assertLeadsTo(A, first);

    holders.put(A, report(5, State.HandedOver, 0x1100));
    TimelinePlan second = plan();
    Attach attach = attachOnly(second);
    assertEquals(C, attach.pod());
    assertTrue(attach.raise());
    assertLeadsTo(A, second);

    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(attach, 6)));
    assertEquals("Active", timeline.getStatus().shards().getLast().state());
    assertEquals(false, attachOnly(plan()).raise());
    holders.put(C, report(6, State.Loading, 0));
    TimelinePlan third = write(plan());
    assertTrue(third.attaches().isEmpty() && third.detaches().isEmpty());
    assertLeadsTo(A, third);
    assertEquals("True", ready(third).status());
    assertEquals("Moving", ready(third).reason());
    assertEquals("shard 0: a serves it until c does", ready(third).message());
    assertEquals("0/900", third.status().receivedLsn(), "of those that serve");
    assertNotNull(third.again());

    // Readable, but not as far.
    holders.put(C, report(6, State.Active, 0x10F8));
    assertLeadsTo(A, write(plan()));
    assertNull(attachment().servingSince());

    holders.put(C, report(6, State.Active, 0x1100));
    TimelinePlan fourth = write(plan());
    assertLeadsTo(C, fourth);
    assertEquals("2026-01-01T12:00:00Z", attachment().servingSince());
    assertTrue(fourth.detaches().isEmpty());
    assertEquals(Duration.ofSeconds(5), fourth.again());

    now = NOW.plusMillis(4999);
    assertTrue(plan().detaches().isEmpty());
    now = NOW.plusSeconds(5);
    assertEquals(List.of(new Detach(0, "uid-a")), plan().detaches());
    holders.remove(A);
    now = NOW.plusSeconds(20);
    write(plan());
    assertUnchanged();
  }

  @Test
  void podThatDoesNotAnswerIsNotWaitedFor() {
    holders.clear();
    TimelinePlan first = plan();
    assertLeadsTo(null, first);
    assertEquals("False", ready(first).status());
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(attachOnly(first), 6)));
    holders.put(C, report(6, State.Active, 0x800));
    assertLeadsTo(C, write(plan()));

    // It is back, and believes that it has the shard.
    holders.put(A, report(5, State.Active, 0x1000));
    assertLeadsTo(C, plan());
    now = NOW.plusSeconds(5);
    assertEquals(List.of(new Detach(0, "uid-a")), plan().detaches());
  }

  @Test
  void podThatCannotHandOverIsAskedForTenSeconds() {
    handOverSince = NOW;
    now = NOW.plusMillis(9999);
    assertEquals(1, plan().handOvers().size());
    now = NOW.plusSeconds(10);
    Attach attach = attachOnly(plan());
    assertLeadsTo(A, plan());
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(attach, 6)));

    // It has more than its successor and keeps the slot: it is not waited for.
    holders.put(C, report(6, State.SourceFailing, 0x800));
    assertLeadsTo(C, write(plan()));
  }

  @Test
  void unreadableShardMovesAtOnce() {
    holders.put(A, report(5, State.Loading, 0));
    Attach attach = attachOnly(plan());
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(attach, 6)));
    holders.put(C, report(6, State.Loading, 0));
    TimelinePlan plan = write(plan());
    assertEquals(List.of(new Detach(0, "uid-a")), plan.detaches());
    assertEquals("shard 0: c is loading it", ready(plan).message());
  }

  @Test
  void nothingIsHandedOverToAPodThatDoesNotAnswer() {
    heard = false;
    TimelinePlan plan = plan();
    assertTrue(plan.handOvers().isEmpty() && plan.attaches().isEmpty());
    assertLeadsTo(A, plan);
    assertEquals("True", ready(plan).status());
  }

  @Test
  void refusedSuccessorLeavesItWithTheOldOne() {
    holders.put(A, report(5, State.HandedOver, 0x1100));
    refusal = new Refusal(Refusal.Kind.OTHER, "c: no disk");
    TimelinePlan plan = plan();
    assertLeadsTo(A, plan);
    // It is served, and an event tells that it cannot be moved.
    assertEquals("True Moving", ready(plan).status() + " " + ready(plan).reason());
    assertTrue(ready(plan).message().endsWith("it cannot be moved: c: no disk"));
    assertEquals("AttachRefused", plan.notices().getFirst().reason());
    assertTrue(plan.detaches().isEmpty());
  }

  @Test
  void successorThatDiesIsReplacedWhileTheOldOneServes() {
    holders.put(A, report(5, State.HandedOver, 0x1100));
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(attachOnly(plan()), 6)));
    write(plan());
    placed = new PageserverPod("a", "uid-a", "node", "10.0.0.1", Map.of(), true, NOW, false, null);
    Attach back = attachOnly(plan());
    assertEquals("a", back.pod().name());
    assertTrue(back.raise());
    assertLeadsTo(A, plan());
  }

  @Test
  void shardThatStaysAfterAllIsAttachedAgain() {
    holders.put(A, report(5, State.HandedOver, 0x1100));
    placed = new PageserverPod("a", "uid-a", "node", "10.0.0.1", Map.of(), true, NOW, false, null);
    assertTrue(attachOnly(plan()).raise());
    assertLeadsTo(A, plan());
  }

  @Test
  void measuresAreThoseOfTheWholeTimeline() {
    next = report(5, State.SourceFailing, 0x900);
    TimelinePlan plan = plan();
    assertEquals("0/900", plan.status().receivedLsn());
    assertEquals(30, plan.status().lagBytes());
    assertEquals(8192, plan.status().copiedBytes());
    assertEquals(2048, plan.status().layerBytes());
    assertEquals("varve-orders.shop.svc:6400-6401", plan.status().address());
  }

  @Test
  void oneUnreadableShardMakesTheTimelineUnready() {
    placed = new PageserverPod("a", "uid-a", "node", "10.0.0.1", Map.of(), true, NOW, false, null);
    timeline.setStatus(
        Measures.withShards(
            null, TimelineIdentity.of(timeline), null, timeline.getStatus().shards()));
    next = report(5, State.Loading, 0);
    assertNull(plan().status().readableFromLsn(), "it was never served");
    Condition ready = ready(plan());
    assertEquals("False", ready.status());
    assertEquals("shard 1: b is loading it", ready.message());
  }
}
