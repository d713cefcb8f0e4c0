package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.crd.Condition;
import dev.varve.crd.PrimarySource;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineSpec;
import dev.varve.crd.TimelineStatus;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** When a timeline is attached, and what its status says. */
final class TimelinePlannerTest {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");
  private static final PageserverPod POD =
      new PageserverPod("ps-0", "uid-0", "node-1", "10.0.0.1", Map.of(), true, NOW, false, null);
  private static final PageserverPod OTHER =
      new PageserverPod("ps-1", "uid-1", "node-2", "10.0.0.2", Map.of(), true, NOW, false, null);
  private static final PrimarySource PRIMARY =
      new PrimarySource("db", null, "varve", null, null, SslMode.DISABLE, null, null, null, null);
  private static final SourceCost COST = new SourceCost(3 << 20, 0, 0, false);

  private final Timeline timeline = timeline();

  // What is seen; tests change it.
  private @Nullable Tenant tenant = new Tenant();
  private @Nullable String token = "token";
  private @Nullable SourceAccess access = SourceAccess.of(timeline, "secret");
  private @Nullable Failure accessFailure;
  private @Nullable SourceRoom fullSource;
  private String nameTaken = "";
  private long copiedInVain;
  private @Nullable PageserverPod pod = POD;
  private boolean heard = true;
  private @Nullable Report report;
  private List<Holder> elsewhere = List.of();
  private @Nullable Refusal refusal;
  private @Nullable StoreFailure store;
  private Instant now = NOW;

  private static Timeline timeline() {
    Timeline timeline = new Timeline();
    timeline.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName("orders")
            .withUid("0b1e9a52-7f6c-4a53-9d2b-3f0c8e3a5d11")
            .withGeneration(2L)
            .build());
    timeline.setSpec(new TimelineSpec("acme", new Source(PRIMARY), null));
    return timeline;
  }

  private TimelinePlan plan() {
    return TimelinePlanner.plan(
        new TimelineWorld(
            timeline,
            tenant,
            token,
            "key",
            access,
            null,
            accessFailure,
            nameTaken,
            200,
            List.of(new ShardWorld(0, pod, heard, holders(), refusal, null, copiedInVain)),
            now));
  }

  private List<Holder> holders() {
    List<Holder> holders = new ArrayList<>(elsewhere);
    if (pod != null && report != null) {
      holders.add(new Holder(pod, report));
    }
    return holders;
  }

  private Report report(int generation, Report.State state, String problem) {
    return report(generation, state, problem, 0x1_0000_0028L);
  }

  private Report report(int generation, Report.State state, String problem, long receivedLsn) {
    return new Report(
        generation,
        state,
        problem,
        -1,
        17,
        0x28,
        receivedLsn,
        0x28,
        0L,
        0.4,
        4096,
        1024,
        COST,
        null,
        List.of(),
        store);
  }

  /** Attached with generation 5 and served. */
  private TimelinePlan attached() {
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(assertAttach(plan(), true), 5)));
    report = report(5, Report.State.Active, "");
    TimelinePlan plan = plan();
    timeline.setStatus(plan.status());
    return plan;
  }

  private static TimelinePlan.Attach assertAttach(TimelinePlan plan, boolean raise) {
    assertEquals(1, plan.attaches().size());
    TimelinePlan.Attach attach = plan.attaches().getFirst();
    assertEquals(raise, attach.raise());
    return attach;
  }

  private static Condition condition(TimelinePlan plan, String type) {
    return plan.status().conditions().stream()
        .filter(c -> c.type().equals(type))
        .findFirst()
        .orElseThrow();
  }

  private static void assertNotReady(TimelinePlan plan, String reason, String part) {
    Condition ready = condition(plan, "Ready");
    assertEquals("False", ready.status());
    assertEquals(reason, ready.reason());
    assertTrue(ready.message().contains(part), ready.message());
    assertEquals(List.of(Optional.empty()), plan.endpoints());
  }

  @Test
  void newTimelineIsAttachedWithARaisedGeneration() {
    TimelinePlan plan = plan();
    assertEquals(POD, assertAttach(plan, true).pod());
    assertNotReady(plan, "Attaching", "ps-0");
    assertEquals(TimelineIdentity.of(timeline), plan.status().timelineId());
    assertEquals("varve-orders.shop.svc:6400", plan.status().address());
  }

  @Test
  void servedTimelineIsReadyAndLedTo() {
    TimelinePlan plan = attached();
    assertTrue(plan.attaches().isEmpty());
    assertEquals("True", condition(plan, "Ready").status());
    assertEquals("True", condition(plan, "SourceReachable").status());
    assertEquals(List.of(Optional.of(POD)), plan.endpoints());
    assertEquals(17, plan.status().postgresMajor());
    assertEquals("18446744073709551615", plan.status().systemIdentifier());
    assertEquals("1/28", plan.status().receivedLsn());
    assertEquals("Active", plan.status().shards().getFirst().state());
  }

  @Test
  void unchangedWorldChangesNothing() {
    attached();
    now = NOW.plusSeconds(3600);
    TimelinePlan plan = plan();
    assertEquals(timeline.getStatus(), plan.status());
    assertTrue(plan.attaches().isEmpty());
    assertNull(plan.again());
    assertTrue(plan.notices().isEmpty());
  }

  @Test
  void measuresAreRenewedOnceInAWhile() {
    attached();
    report = report(5, Report.State.Active, "", 0x9000);
    now = NOW.plusSeconds(9);
    assertEquals(timeline.getStatus(), plan().status());
    now = NOW.plusSeconds(10);
    assertEquals("0/9000", plan().status().receivedLsn());
    now = NOW.minus(Duration.ofHours(1));
    assertEquals("0/9000", plan().status().receivedLsn(), "a clock was set back");
  }

  @Test
  void measuresThatCameTooEarlyAreNotForgotten() {
    attached();
    report = report(5, Report.State.Active, "", 0x9000);
    now = NOW.plusSeconds(4);
    assertEquals(Duration.ofSeconds(6), plan().again());
    now = NOW.plusSeconds(10);
    timeline.setStatus(plan().status());
    assertNull(plan().again());
  }

  /** That it was served once is what an emptied object store is told by. */
  @Test
  void fromWhereItIsReadIsKnownForGood() {
    attached();
    report = copying(Report.State.Loading, "", 0);
    now = NOW.plusSeconds(10);
    assertEquals("0/28", plan().status().readableFromLsn());
    assertNull(plan().status().receivedLsn());
  }

  @Test
  void lagThatIsNotKnownIsNotShown() {
    attached();
    assertEquals(0, plan().status().lagBytes());
    report =
        new Report(
            5,
            Report.State.Active,
            "",
            7,
            17,
            1,
            1,
            1,
            null,
            null,
            0,
            0,
            COST,
            null,
            List.of(),
            null);
    now = NOW.plusSeconds(10);
    assertNull(plan().status().lagBytes());
    assertNull(plan().status().lagSeconds());
  }

  @Test
  void storeFailureIsSaidWithWhatThePrimaryKeepsAndReadsGoOn() {
    attached();
    Condition well = condition(plan(), "StoreReachable");
    assertEquals("True Reachable", well.status() + " " + well.reason());
    store = new StoreFailure(Reason.StoreUnreachable, "it does not answer since noon");
    report = report(5, Report.State.Active, "");
    TimelinePlan plan = plan();
    assertEquals("True", condition(plan, "Ready").status());
    Condition away = condition(plan, "StoreReachable");
    assertEquals("False StoreUnreachable", away.status() + " " + away.reason());
    assertEquals(
        "it does not answer since noon; the primary keeps its WAL until it is published, see"
            + " status.retainedWalBytes",
        away.message());
    assertEquals("StoreUnreachable", plan.notices().getFirst().reason());
    timeline.setStatus(plan.status());
    assertTrue(plan().notices().isEmpty());
    // Said by the doubling, not by the byte.
    for (long bytes : new long[] {130 << 20, 200 << 20}) {
      report =
          new Report(
              5,
              Report.State.Active,
              "",
              7,
              17,
              1,
              1,
              1,
              1L,
              1.0,
              0,
              0,
              new SourceCost(bytes, 1, 0, false),
              null,
              List.of(),
              store);
      assertTrue(
          condition(plan(), "StoreReachable").message().contains("published: more than 128 MiB,"));
    }
  }

  @Test
  void whatCannotBeClaimedSaysThatItIsTheStore() {
    pod = POD.withStore(new StoreFailure(Reason.StoreRefused, "no rights"));
    refusal = new Refusal(Refusal.Kind.OTHER, "ps-0: cannot write down the layout");
    assertNotReady(plan(), "AttachRefused", "cannot write down the layout");
    assertEquals("StoreRefused", condition(plan(), "StoreReachable").reason());
    pod = null;
    refusal = null;
    heard = false;
    assertEquals("Unknown", condition(plan(), "StoreReachable").status());
  }

  @Test
  void anEmptiedStoreLeavesItWhereItIsServed() {
    attached();
    pod = OTHER;
    elsewhere = List.of(new Holder(POD, report(5, Report.State.Active, "")));
    report = null;
    refusal = new Refusal(Refusal.Kind.OBJECTS_MISSING, "it no longer holds the data");
    TimelinePlan plan = plan();
    assertEquals(List.of(Optional.of(POD)), plan.endpoints());
    assertEquals("True", condition(plan, "Ready").status());
    assertEquals("ObjectsMissing", condition(plan, "StoreReachable").reason());
    assertTrue(plan.detaches().isEmpty());
  }

  @Test
  void attachmentThatWasWrittenDownIsTriedAgainAsItIs() {
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(assertAttach(plan(), true), 5)));
    assertAttach(plan(), false);
    refusal = new Refusal(Refusal.Kind.OTHER, "ps-0: no disk");
    assertNotReady(plan(), "AttachRefused", "no disk");
    refusal =
        new Refusal(
            Refusal.Kind.LAYOUT, "the object store has it written as 2 shards, not as 1 shard");
    assertNotReady(plan(), "LayoutDiffers", "written as 2 shards");
    assertNotReady(plan(), "LayoutDiffers", "the Tenant acme");
    assertEquals(Duration.ofSeconds(5), plan().again());
    assertEquals("LayoutDiffers", plan().notices().getLast().reason());
  }

  @Test
  void attachesAgainWhenItMovedWasLostOrItsSettingsChanged() {
    attached();
    pod = OTHER;
    report = null;
    assertEquals(OTHER, assertAttach(plan(), true).pod());

    pod = POD;
    assertAttach(plan(), true);

    report = report(5, Report.State.Active, "");
    assertTrue(plan().attaches().isEmpty());
    access = SourceAccess.of(timeline, "changed");
    assertAttach(plan(), true);
  }

  @Test
  void anotherGenerationIsNotOurs() {
    attached();
    report = report(4, Report.State.Active, "");
    assertAttach(plan(), true);
  }

  @Test
  void silentPageserverIsNotJudged() {
    attached();
    report = null;
    heard = false;
    TimelinePlan plan = plan();
    assertTrue(plan.attaches().isEmpty());
    assertNotReady(plan, "PageserverNotReady", "does not answer");
  }

  @Test
  void missingSecretLeavesAnAttachedTimelineServed() {
    attached();
    access = null;
    accessFailure =
        new Failure(
            Reason.SecretMissing, "there is no Secret orders: create it with the key password");
    TimelinePlan plan = plan();
    assertTrue(plan.attaches().isEmpty());
    assertEquals("True", condition(plan, "Ready").status());
    assertEquals("SecretMissing", condition(plan, "SourceReachable").reason());
    assertEquals(List.of(Optional.of(POD)), plan.endpoints());
    assertNotNull(plan.again());

    timeline.setStatus(null);
    report = null;
    assertNotReady(plan(), "SecretMissing", "create it with the key password");
  }

  @Test
  void sourceFailureIsSaidOnceAndReadsGoOn() {
    attached();
    report = report(5, Report.State.SourceFailing, "db:5432 refuses the password of varve");
    TimelinePlan plan = plan();
    assertEquals("True", condition(plan, "Ready").status());
    Condition source = condition(plan, "SourceReachable");
    assertEquals("False", source.status());
    assertTrue(source.message().contains("refuses the password"));
    assertEquals(1, plan.notices().size());
    timeline.setStatus(plan.status());
    assertTrue(plan().notices().isEmpty());
  }

  @Test
  void sourceFailureIsLookedAtAgainForItsSecretMayChange() {
    attached();
    report = report(5, Report.State.SourceFailing, "db:5432 refuses the password of varve");
    timeline.setStatus(plan().status());
    assertEquals(Duration.ofSeconds(5), plan().again());
  }

  @Test
  void showsWhatThePrimaryKeepsAndWhatMayHarmIt() {
    attached();
    report =
        new Report(
            5,
            Report.State.Active,
            "",
            -1,
            17,
            0x28,
            0x28,
            0x28,
            0L,
            0.4,
            4096,
            1024,
            new SourceCost(5 << 20, 12.6, -1, true),
            null,
            List.of(),
            null);
    now = NOW.plus(Duration.ofHours(1));
    TimelinePlan plan = plan();
    assertEquals(5 << 20, plan.status().retainedWalBytes());
    assertEquals(13, plan.status().retainedWalSeconds());
    Condition source = condition(plan, "SourceReachable");
    assertEquals("True", source.status());
    assertTrue(source.message().contains("max_slot_wal_keep_size is -1"), source.message());
    assertTrue(source.message().contains("no commit waits for"), source.message());
  }

  @Test
  void brokenTimelineIsLeftToAPerson() {
    attached();
    report = report(5, Report.State.Broken, "unknown WAL record");
    TimelinePlan plan = plan();
    assertTrue(plan.attaches().isEmpty());
    assertNotReady(plan, "Broken", "unknown WAL record");
    assertTrue(plan.notices().getFirst().warning());
  }

  @Test
  void copyIsNotReady() {
    attached();
    report = copying(Report.State.Copying, "", 4096);
    assertNotReady(plan(), "Copying", "being copied");
    assertEquals(4096, plan().status().copiedBytes());
  }

  @Test
  void saysWhatIsMissing() {
    tenant = null;
    pod = null;
    assertNotReady(plan(), "TenantMissing", "no Tenant acme");
    tenant = new Tenant();
    assertNotReady(plan(), "NotPlaced", "about to be placed");
    pod = POD;
    token = null;
    assertNotReady(plan(), "NoToken", "token Secret");
  }

  @Test
  void othersThatHoldItAreDetachedWhenReadersHaveLeft() {
    attached();
    elsewhere = List.of(new Holder(OTHER, report(4, Report.State.Active, "")));
    assertTrue(plan().detaches().isEmpty());
    now = NOW.plusSeconds(5);
    assertEquals(List.of(new TimelinePlan.Detach(0, "uid-1")), plan().detaches());
    TimelineStatus status = timeline.getStatus();
    now = NOW.minus(Duration.ofHours(1)); // a clock was set back
    timeline.setStatus(plan().status());
    now = now.plusSeconds(5);
    assertEquals(List.of(new TimelinePlan.Detach(0, "uid-1")), plan().detaches());
    timeline.setStatus(status);
    now = NOW.plusSeconds(5);
    pod = null;
    assertTrue(plan().detaches().isEmpty());
  }

  @Test
  void retainedTimelineNeedsNoSource() {
    timeline.setSpec(new TimelineSpec("acme", null, null));
    access = null;
    assertAttach(plan(), true);
    attached();
    assertFalse(
        plan().status().conditions().stream().anyMatch(c -> c.type().equals("SourceReachable")));
  }

  /** Attached, and never read: the copy failed after so many bytes. */
  private TimelinePlan copyFailed(String problem, long copied) {
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(assertAttach(plan(), true), 5)));
    report = copying(Report.State.SourceFailing, problem, copied);
    copiedInVain = copied;
    TimelinePlan plan = plan();
    timeline.setStatus(plan.status());
    return plan;
  }

  private Report copying(Report.State state, String problem, long copied) {
    return new Report(
        5, state, problem, 0, 0, 0, 0, 0, null, null, copied, 0, COST, fullSource, List.of(), null);
  }

  @Test
  void anAttemptIsNoChange() {
    TimelinePlan failed = copyFailed("db refuses the password", 4096);
    assertEquals(1, failed.notices().size());
    for (String problem : List.of("db refuses the password", "")) {
      for (long copied : new long[] {0, 1024, 4096}) {
        report = copying(Report.State.Copying, problem, copied);
        TimelinePlan plan = plan();
        assertEquals(failed.status().conditions(), plan.status().conditions());
        assertEquals(failed.status().shards(), plan.status().shards());
        assertEquals(List.of(), plan.notices());
      }
    }
    report = copying(Report.State.Copying, "db refuses the password", 4097);
    assertNotReady(plan(), "Copying", "is being copied");
    assertEquals("Receiving", condition(plan(), "SourceReachable").reason());
  }

  @Test
  void anAttemptKeepsWalAtThePrimaryStill() {
    copyFailed("db refuses the password", 4096);
    report = copying(Report.State.Copying, "", 0);
    now = NOW.plus(Duration.ofHours(1));
    assertEquals(COST.retainedWalBytes(), plan().status().retainedWalBytes());
  }

  @Test
  void aPrimaryThatHasNotAnsweredIsNotReached() {
    timeline.setStatus(TimelinePlanner.raised(timeline, Map.of(assertAttach(plan(), true), 5)));
    for (Report.State state : List.of(Report.State.Loading, Report.State.Copying)) {
      report = copying(state, "", 0);
      assertEquals("Connecting", condition(plan(), "SourceReachable").reason());
    }
    report = copying(Report.State.Copying, "", 1);
    assertEquals("Receiving", condition(plan(), "SourceReachable").reason());
  }

  @Test
  void aFullPrimaryIsToldOfAlikeWithWhatAllItsTimelinesNeed() {
    fullSource = new SourceRoom(10, 10);
    TimelinePlan plan = copyFailed("all replication slots are in use", 0);
    String message =
        "db.shop.svc:5432 needs 200 slots and WAL senders for its Timelines, has 10: set"
            + " max_replication_slots and max_wal_senders to 200 or more, with what others use on"
            + " top, and restart it";
    assertNotReady(plan, "SourceFull", message);
    assertEquals(message, condition(plan, "SourceReachable").message());
    assertEquals(List.of(message), plan.notices().stream().map(Notice::message).toList());
    assertEquals(List.of(), plan().notices());
  }

  @Test
  void aServiceOfSomebodyElseIsLeftAlone() {
    attached();
    nameTaken = "there is a Service varve-orders already";
    TimelinePlan plan = plan();
    assertEquals("NameTaken", condition(plan, "Ready").reason());
    assertEquals(1, plan.notices().size());
  }
}
