package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.plan.Reason.Kind;
import dev.varve.operator.plan.ShardPlan.Verdict;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlan.Detach;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Keeps each shard of a timeline where its tenant is placed (see {@link ShardPlanner}), with what
 * the spec and the Secrets say, and tells how the timeline is: as its worst shard. A timeline whose
 * Secrets cannot be read stays as it is attached.
 */
public final class TimelinePlanner {
  /** The state of an attachment that was written down and may not have been made yet. */
  public static final String ATTACHING = "Attaching";

  static final String READY = "Ready";

  private static final int BASE_PORT = 6400;

  /** How old the measures in the status may become while they change. */
  private static final Duration MEASURE_AGE = Duration.ofSeconds(10);

  private static final Duration RETRY_INTERVAL = Duration.ofSeconds(5);
  private static final Duration FULL = Duration.ofSeconds(30);

  private final TimelineWorld world;
  private final Timeline timeline;
  private final @Nullable TimelineStatus before;
  private final List<ShardPlan> shards;
  private final Conditions conditions;
  private final List<Notice> notices = new ArrayList<>();

  /** When measures that changed are to be written; null: none are held back. */
  private @Nullable Duration measuresWait;

  private TimelinePlanner(TimelineWorld world) {
    this.world = world;
    this.timeline = world.timeline();
    this.before = timeline.getStatus();
    this.shards = world.shards().stream().map(s -> ShardPlanner.plan(world, s)).toList();
    this.conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            timeline.getMetadata().getGeneration(),
            world.now());
  }

  public static TimelinePlan plan(TimelineWorld world) {
    return new TimelinePlanner(world).plan();
  }

  /** The attachment of a shard that a status tells of. */
  public static @Nullable ShardAttachment attachment(@Nullable TimelineStatus status, int shard) {
    return ShardPlanner.attachment(status, shard);
  }

  /** Where computes connect. */
  static String address(Timeline timeline, int shards) {
    return "varve-"
        + timeline.getMetadata().getName()
        + "."
        + timeline.getMetadata().getNamespace()
        + ".svc:"
        + (shards == 1 ? BASE_PORT : BASE_PORT + "-" + (BASE_PORT + shards - 1));
  }

  private TimelinePlan plan() {
    ready();
    source();
    store();
    TimelineStatus status = status();
    return new TimelinePlan(
        shards.stream().map(ShardPlan::handOver).filter(Objects::nonNull).toList(),
        shards.stream().map(ShardPlan::attach).filter(Objects::nonNull).toList(),
        status,
        shards.stream().map(s -> Optional.ofNullable(s.endpoint())).toList(),
        detaches(),
        List.copyOf(notices),
        again(status));
  }

  private List<Detach> detaches() {
    List<Detach> detaches = new ArrayList<>();
    for (int i = 0; i < shards.size(); i++) {
      for (String uid : shards.get(i).detachFrom()) {
        detaches.add(new Detach(world.shards().get(i).shard(), uid));
      }
    }
    return detaches;
  }

  private @Nullable Duration again(TimelineStatus status) {
    if (world.tenant() == null) {
      return null;
    }
    Failure failure = world.accessFailure();
    Duration again =
        world.nameTaken().isEmpty() && (failure == null || failure.reason() == Reason.InvalidSpec)
            ? null
            : RETRY_INTERVAL;
    for (ShardPlan shard : shards) {
      again = earlier(again, shard.again());
      Report said = shard.said();
      if (said != null && said.state() == Report.State.SourceFailing) {
        // Nothing tells of a Secret that changed, nor of other timelines of a source that is full.
        again = earlier(again, said.fullSource() == null ? RETRY_INTERVAL : FULL);
      }
    }
    String measuredBefore = before == null ? null : before.measuredAt();
    return earlier(
        again, Objects.equals(status.measuredAt(), measuredBefore) ? measuresWait : MEASURE_AGE);
  }

  private static @Nullable Duration earlier(@Nullable Duration one, @Nullable Duration other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }
    return one.compareTo(other) <= 0 ? one : other;
  }

  private void ready() {
    if (world.tenant() == null) {
      String name = timeline.getSpec().tenant();
      conditions.put(
          Kind.TIMELINE_READY,
          false,
          Reason.TenantMissing,
          "there is no Tenant " + name + " here: create it");
      return;
    }
    if (!world.nameTaken().isEmpty()) {
      noticeOf(Kind.TIMELINE_READY, Reason.NameTaken, world.nameTaken());
      conditions.put(Kind.TIMELINE_READY, false, Reason.NameTaken, world.nameTaken());
      return;
    }
    int worst = worst();
    Verdict verdict = shards.get(worst).verdict();
    String message = verdict.message();
    if (shards.size() > 1) {
      message =
          verdict.reason() == Reason.Serving
              ? "all " + shards.size() + " shards are served"
              : "shard " + worst + ": " + message;
    }
    if (verdict.isWarning()) {
      noticeOf(
          Kind.TIMELINE_READY,
          verdict.reason(),
          verdict.isReady() ? Reason.AttachRefused : verdict.reason(),
          message);
    }
    conditions.put(Kind.TIMELINE_READY, verdict.isReady(), verdict.reason(), message);
    Condition was = Conditions.find(before == null ? null : before.conditions(), READY);
    if (verdict.isReady() && (was == null || !was.status().equals("True"))) {
      notices.add(Notice.normal(READY, "databases can start from it"));
    }
  }

  /** The first shard that is not served, or else that is moving; or else 0. */
  private int worst() {
    int moving = 0;
    for (int i = 0; i < shards.size(); i++) {
      Verdict verdict = shards.get(i).verdict();
      if (!verdict.isReady()) {
        return i;
      }
      if (verdict.reason() != Reason.Serving
          && shards.get(moving).verdict().reason() == Reason.Serving) {
        moving = i;
      }
    }
    return moving;
  }

  private void source() {
    if (timeline.getSpec().source() == null) {
      return;
    }
    Failure unknown = world.accessFailure();
    if (unknown != null) {
      conditions.put(Kind.SOURCE_REACHABLE, false, unknown.reason(), unknown.message());
      return;
    }
    boolean isAsked = false;
    for (ShardPlan shard : shards) {
      Report said = shard.said();
      if (said == null || said.state() == Report.State.HandedOver) {
        conditions.put(
            Kind.SOURCE_REACHABLE,
            false,
            Reason.NotAttached,
            "no pageserver is receiving from it now");
        return;
      }
      if (said.state() == Report.State.Broken) {
        conditions.put(
            Kind.SOURCE_REACHABLE,
            false,
            Reason.Stopped,
            "the timeline stopped, see the condition Ready");
        return;
      }
      if (said.state() == Report.State.SourceFailing) {
        Failure failure = sourceFailure(world, said);
        conditions.put(Kind.SOURCE_REACHABLE, false, failure.reason(), failure.message());
        noticeOf(Kind.SOURCE_REACHABLE, failure.reason(), failure.message());
        return;
      }
      isAsked |=
          said.state() == Report.State.Loading
              || (said.state() == Report.State.Copying && said.copiedBytes() == 0);
    }
    Condition was =
        Conditions.find(before == null ? null : before.conditions(), Kind.SOURCE_REACHABLE.type());
    if (isAsked && (was == null || !was.reason().equals(Reason.Receiving.name()))) {
      conditions.put(
          Kind.SOURCE_REACHABLE, false, Reason.Connecting, "the primary has not answered yet");
      return;
    }
    conditions.put(Kind.SOURCE_REACHABLE, true, Reason.Receiving, "the primary answers" + advice());
  }

  /** Behind a semicolon, or empty. */
  private String advice() {
    boolean synchronous =
        Boolean.TRUE.equals(
            Objects.requireNonNull(timeline.getSpec().source()).primary().synchronous());
    for (ShardPlan shard : shards) {
      Report said = shard.said();
      String advice = said == null ? "" : said.cost().advice(synchronous);
      if (!advice.isEmpty()) {
        return "; " + advice;
      }
    }
    return "";
  }

  /** What a pageserver says of a source; that one is full is said alike for all its timelines. */
  static Failure sourceFailure(TimelineWorld world, Report said) {
    SourceRoom room = said.fullSource();
    TimelineStatus status = world.timeline().getStatus();
    Condition was =
        Conditions.find(status == null ? null : status.conditions(), Kind.SOURCE_REACHABLE.type());
    if (room == null && was != null && was.message().equals(said.problem())) {
      return new Failure(Reason.valueOf(was.reason()), was.message());
    }
    return room == null
        ? new Failure(Reason.SourceFailing, said.problem())
        : new Failure(
            Reason.SourceFull,
            room.message(SourceAccess.address(world.timeline()), world.sourceShards()));
  }

  /** A warning, the first time that a condition has this reason and message. */
  private void noticeOf(Kind kind, Reason reason, String message) {
    noticeOf(kind, reason, reason, message);
  }

  private void noticeOf(Kind kind, Reason reason, Reason event, String message) {
    Condition was = Conditions.find(before == null ? null : before.conditions(), kind.type());
    if (was == null || !was.reason().equals(reason.name()) || !was.message().equals(message)) {
      notices.add(Notice.warning(event.name(), message));
    }
  }

  /** What fails at the object store of any shard; else whether anybody can tell. */
  private void store() {
    boolean isKnown = !shards.isEmpty();
    for (int i = 0; i < shards.size(); i++) {
      Report said = shards.get(i).measured();
      ShardWorld shard = world.shards().get(i);
      StoreFailure failure = storeFailure(shard, said);
      if (failure != null) {
        String message = failure.text() + meanwhile();
        conditions.put(Kind.TIMELINE_STORE, false, failure.reason(), message);
        noticeOf(Kind.TIMELINE_STORE, failure.reason(), message);
        return;
      }
      isKnown &= said != null || shard.heard();
    }
    if (isKnown) {
      conditions.put(Kind.TIMELINE_STORE, true, Reason.Reachable, "nothing fails there");
    } else {
      conditions.unknown(
          Kind.TIMELINE_STORE, Reason.NotAttached, "no pageserver answers that could tell");
    }
  }

  /** Where the shard is to go counts as well: who serves it may be fine. */
  private static @Nullable StoreFailure storeFailure(ShardWorld shard, @Nullable Report said) {
    Refusal refusal = shard.refusal();
    if (refusal != null && refusal.kind() == Refusal.Kind.OBJECTS_MISSING) {
      return new StoreFailure(Reason.ObjectsMissing, refusal.message());
    }
    StoreFailure own = said == null ? null : said.store();
    return own != null || shard.pod() == null ? own : shard.pod().store();
  }

  private String meanwhile() {
    if (timeline.getSpec().source() == null) {
      return "";
    }
    long bytes = 0;
    for (ShardPlan shard : shards) {
      Report said = shard.measured();
      bytes = Math.max(bytes, said == null ? 0 : said.cost().retainedWalBytes());
    }
    String retained = StoreFailure.retained(bytes);
    return "; the primary keeps its WAL until it is published"
        + (retained.isEmpty() ? "" : ": " + retained)
        + ", see status.retainedWalBytes";
  }

  private TimelineStatus status() {
    List<ShardAttachment> attachments =
        shards.stream().map(ShardPlan::attachment).filter(Objects::nonNull).toList();
    TimelineStatus blank =
        blank(
            timeline,
            conditions,
            address(timeline, shards.size()),
            attachments.isEmpty() ? null : attachments);
    TimelineStatus same = Measures.kept(blank, before);
    List<Report> reports =
        shards.stream().map(ShardPlan::measured).filter(Objects::nonNull).toList();
    if (reports.size() < shards.size()) {
      return same;
    }
    TimelineStatus fresh = Measures.taken(blank, reports, before, world.now());
    if (Measures.isAlike(fresh, same)) {
      return same;
    }
    Duration wait = measuresWait(same);
    measuresWait = wait.isPositive() ? wait : null;
    return measuresWait == null ? fresh : same;
  }

  /** How long measures that changed are not written; not positive: they are. */
  private Duration measuresWait(TimelineStatus same) {
    if (before == null || before.measuredAt() == null || !same.equals(before)) {
      return Duration.ZERO;
    }
    Instant measuredAt = Instant.parse(before.measuredAt());
    return measuredAt.isAfter(world.now()) // a clock was set back
        ? Duration.ZERO
        : Duration.between(world.now(), measuredAt.plus(MEASURE_AGE));
  }

  private static TimelineStatus blank(
      Timeline timeline,
      Conditions conditions,
      @Nullable String address,
      @Nullable List<ShardAttachment> shards) {
    return Measures.none(
        timeline.getMetadata().getGeneration(),
        conditions.list(),
        SpecRules.names(timeline).isEmpty() ? TimelineIdentity.of(timeline) : null,
        address,
        timeline.getSpec() == null ? null : SlotName.of(timeline),
        shards);
  }

  /** The status of a timeline of which nothing can be made, since its names are invalid. */
  public static TimelineStatus invalid(Timeline timeline, String message, Instant now) {
    return stopped(timeline, Reason.InvalidSpec, message, now);
  }

  /** The status of a timeline that may not have what it adopts. */
  public static TimelineStatus refused(Timeline timeline, String message, Instant now) {
    return stopped(timeline, Reason.AdoptionRefused, message, now);
  }

  /** The status of a timeline whose deletion waits for something. */
  public static TimelineStatus deleting(Timeline timeline, String message, Instant now) {
    return stopped(timeline, Reason.Deleting, message, now);
  }

  private static TimelineStatus stopped(
      Timeline timeline, Reason reason, String message, Instant now) {
    TimelineStatus before = timeline.getStatus();
    Conditions conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            timeline.getMetadata().getGeneration(),
            now);
    conditions.put(Kind.TIMELINE_READY, false, reason, message);
    return Measures.kept(
        blank(
            timeline,
            conditions,
            before == null ? null : before.address(),
            before == null ? null : before.shards()),
        before);
  }

  /**
   * The status with attachments written down that are about to be made, and their slot.
   *
   * @param generations of each
   */
  public static TimelineStatus raised(Timeline timeline, Map<Attach, Integer> generations) {
    TimelineStatus before = timeline.getStatus();
    List<ShardAttachment> attachments = new ArrayList<>();
    if (before != null && before.shards() != null) {
      attachments.addAll(before.shards());
    }
    generations.forEach((attach, generation) -> {
      attachments.removeIf(a -> a.shard() == attach.shard());
      attachments.add(
          new ShardAttachment(
              attach.shard(),
              attach.pod().name(),
              attach.pod().uid(),
              generation,
              attach.settings(),
              ATTACHING,
              null));
    });
    attachments.sort(Comparator.comparingInt(ShardAttachment::shard));
    return Measures.withShards(
        before, TimelineIdentity.of(timeline), SlotName.of(timeline), attachments);
  }
}
