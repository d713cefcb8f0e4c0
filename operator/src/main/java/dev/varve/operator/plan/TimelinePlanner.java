package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.plan.TimelinePlan.Attach;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a timeline attached to the pod that its tenant is placed on, with what the spec and the
 * Secrets say, and tells how it is. A timeline whose Secrets cannot be read stays as it is
 * attached.
 */
public final class TimelinePlanner {
  /** The state of an attachment that was written down and may not have been made yet. */
  public static final String ATTACHING = "Attaching";

  private static final String READY = "Ready";
  private static final String SOURCE = "SourceReachable";

  /** How old the measures in the status may become while they change. */
  private static final Duration MEASURE_AGE = Duration.ofSeconds(10);

  private static final Duration SOON = Duration.ofSeconds(2);
  private static final Duration TROUBLE = Duration.ofSeconds(5);

  private final TimelineWorld world;
  private final Timeline timeline;
  private final @Nullable TimelineStatus before;
  private final @Nullable ShardAttachment attached;
  private final @Nullable Report report;
  private final Conditions conditions;
  private final List<Notice> notices = new ArrayList<>();

  private TimelinePlanner(TimelineWorld world) {
    this.world = world;
    this.timeline = world.timeline();
    this.before = timeline.getStatus();
    this.attached = attachment(before);
    ShardAttachment current = attached;
    Report said = world.report();
    this.report =
        said != null && current != null && said.generation() == current.generation() ? said : null;
    this.conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            timeline.getMetadata().getGeneration(),
            world.now());
  }

  public static TimelinePlan plan(TimelineWorld world) {
    return new TimelinePlanner(world).plan();
  }

  /** The attachment that a status tells of. */
  public static @Nullable ShardAttachment attachment(@Nullable TimelineStatus status) {
    return status == null || status.shards() == null || status.shards().isEmpty()
        ? null
        : status.shards().getFirst();
  }

  private TimelinePlan plan() {
    Attach attach = attach();
    Duration again = conditions(attach);
    PageserverPod endpoint =
        report != null && report.isReadable() && attach == null ? world.pod() : null;
    List<String> detachFrom = world.pod() == null ? List.of() : world.elsewhere();
    TimelineStatus status = status();
    String measuredBefore = before == null ? null : before.measuredAt();
    if (again == null && !Objects.equals(status.measuredAt(), measuredBefore)) {
      again = MEASURE_AGE;
    }
    return new TimelinePlan(attach, status, endpoint, detachFrom, List.copyOf(notices), again);
  }

  /** The status of a timeline whose deletion waits for something. */
  public static TimelineStatus deleting(Timeline timeline, String message, Instant now) {
    TimelineStatus before = timeline.getStatus();
    Conditions conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            timeline.getMetadata().getGeneration(),
            now);
    conditions.put(READY, false, "Deleting", message);
    String namespace = timeline.getMetadata().getNamespace();
    TimelineStatus blank =
        new TimelineStatus(
            timeline.getMetadata().getGeneration(),
            conditions.list(),
            TenantPlanner.tenantId(namespace, timeline.getSpec().tenant())
                + "/"
                + timeline.getMetadata().getName(),
            before == null ? null : before.address(),
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
            before == null ? null : before.shards());
    return measured(blank, before);
  }

  private @Nullable Attach attach() {
    PageserverPod pod = world.pod();
    String token = world.token();
    if (pod == null || !pod.isUsable() || token == null || !world.heard()) {
      return null;
    }
    if (timeline.getSpec().source() != null && world.access() == null) {
      return null;
    }
    SourceAccess access = world.access();
    String settings = access == null ? SourceAccess.digest(token, "") : access.digest(token);
    ShardAttachment current = attached;
    if (current == null) {
      return new Attach(pod, true, settings, "it is new");
    }
    if (!current.podUid().equals(pod.uid())) {
      return new Attach(pod, true, settings, "its tenant moved there from " + current.pod());
    }
    if (!current.settings().equals(settings)) {
      return new Attach(pod, true, settings, "its source, its password or the token changed");
    }
    if (report == null) {
      return current.state().equals(ATTACHING)
          ? new Attach(pod, false, settings, "")
          : new Attach(pod, true, settings, "the pageserver does not have it any more");
    }
    return null;
  }

  private @Nullable Duration conditions(@Nullable Attach attach) {
    Duration again = ready(attach);
    if (timeline.getSpec().source() == null) {
      return again;
    }
    if (!world.accessTrouble().isEmpty()) {
      conditions.put(SOURCE, false, "SecretMissing", world.accessTrouble());
      return TROUBLE;
    }
    if (report == null) {
      conditions.put(SOURCE, false, "NotAttached", "no pageserver is receiving from it now");
    } else if (report.state() == Report.State.SourceTrouble) {
      conditions.put(SOURCE, false, "SourceTrouble", report.problem());
      noticeOf(SOURCE, "SourceTrouble", report.problem());
      again = again == null ? TROUBLE : again; // for a Secret, of whose change nothing tells
    } else if (report.state() == Report.State.Broken) {
      conditions.put(SOURCE, false, "Stopped", "the timeline stopped, see the condition Ready");
    } else {
      conditions.put(SOURCE, true, "Receiving", "the primary answers");
    }
    return again;
  }

  private @Nullable Duration ready(@Nullable Attach attach) {
    Tenant tenant = world.tenant();
    PageserverPod pod = world.pod();
    if (tenant == null) {
      String name = timeline.getSpec().tenant();
      return notReady("TenantMissing", "there is no Tenant " + name + " here: create it", null);
    }
    if (pod == null) {
      Condition placed =
          Conditions.find(
              tenant.getStatus() == null ? null : tenant.getStatus().conditions(), READY);
      return notReady(
          "NotPlaced",
          placed == null || placed.status().equals("True")
              ? "its tenant is about to be placed"
              : "its tenant: " + placed.message(),
          SOON);
    }
    if (report != null && attach == null && world.attachTrouble().isEmpty()) {
      return ready(report, pod);
    }
    if (!world.attachTrouble().isEmpty()) {
      noticeOf(READY, "AttachRefused", world.attachTrouble());
      return notReady("AttachRefused", world.attachTrouble(), TROUBLE);
    }
    if (!pod.isUsable() || !world.heard()) {
      return notReady(
          "PageserverNotReady",
          pod.name() + " does not answer; the timeline moves with its tenant when it stays so",
          SOON);
    }
    if (world.token() == null) {
      return notReady("NoToken", "the tenant's token Secret is about to be made", SOON);
    }
    if (!world.accessTrouble().isEmpty()) {
      return notReady("SecretMissing", world.accessTrouble(), TROUBLE);
    }
    return notReady("Attaching", "it is being attached to " + pod.name(), SOON);
  }

  private @Nullable Duration ready(Report said, PageserverPod pod) {
    if (said.state() == Report.State.Broken) {
      noticeOf(READY, "Broken", said.problem());
      return notReady("Broken", said.problem(), null);
    }
    if (said.isReadable()) {
      conditions.put(READY, true, "Serving", pod.name() + " serves it");
      Condition was = Conditions.find(before == null ? null : before.conditions(), READY);
      if (was == null || !was.status().equals("True")) {
        notices.add(Notice.normal("Ready", pod.name() + " serves it"));
      }
      return null;
    }
    return switch (said.state()) {
      case Loading -> notReady("Loading", pod.name() + " is loading it", null);
      case Copying ->
          notReady("Copying", "the primary's data is being copied, see status.copiedBytes", null);
      case SourceTrouble -> notReady("SourceTrouble", said.problem(), null);
      case CatchingUp, Active, Broken ->
          notReady(
              "CatchingUp", "the WAL that the copy needs to be consistent is being received", null);
    };
  }

  private @Nullable Duration notReady(String reason, String message, @Nullable Duration again) {
    conditions.put(READY, false, reason, message);
    return again;
  }

  /** A warning, the first time that a condition has this reason and message. */
  private void noticeOf(String type, String reason, String message) {
    Condition was = Conditions.find(before == null ? null : before.conditions(), type);
    if (was == null || !was.reason().equals(reason) || !was.message().equals(message)) {
      notices.add(Notice.warning(reason, message));
    }
  }

  private TimelineStatus status() {
    String namespace = timeline.getMetadata().getNamespace();
    String name = timeline.getMetadata().getName();
    List<ShardAttachment> shards = before == null ? null : before.shards();
    if (attached != null && report != null) {
      shards =
          List.of(
              new ShardAttachment(
                  attached.shard(),
                  attached.pod(),
                  attached.podUid(),
                  attached.generation(),
                  attached.settings(),
                  report.state().name()));
    }
    TimelineStatus blank =
        new TimelineStatus(
            timeline.getMetadata().getGeneration(),
            conditions.list(),
            TenantPlanner.tenantId(namespace, timeline.getSpec().tenant()) + "/" + name,
            "varve-" + name + "." + namespace + ".svc:6400",
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
            shards);
    TimelineStatus same = measured(blank, before);
    if (report == null || !isWorthMeasuring(same)) {
      return same;
    }
    TimelineStatus fresh = measured(blank, report, world.now());
    return withTime(fresh, same.measuredAt()).equals(same) ? same : fresh;
  }

  private boolean isWorthMeasuring(TimelineStatus same) {
    if (before == null || before.measuredAt() == null || !same.equals(before)) {
      return true;
    }
    return !Instant.parse(before.measuredAt()).plus(MEASURE_AGE).isAfter(world.now());
  }

  /** {@code status} with the measures of another. */
  private static TimelineStatus measured(TimelineStatus status, @Nullable TimelineStatus from) {
    if (from == null) {
      return status;
    }
    return new TimelineStatus(
        status.observedGeneration(),
        status.conditions(),
        status.timelineId(),
        status.address(),
        from.postgresMajor(),
        from.systemIdentifier(),
        from.readableFromLsn(),
        from.receivedLsn(),
        from.publishedLsn(),
        from.lagBytes(),
        from.lagSeconds(),
        from.copiedBytes(),
        from.layerBytes(),
        from.measuredAt(),
        status.shards());
  }

  private static TimelineStatus measured(TimelineStatus status, Report report, Instant now) {
    return new TimelineStatus(
        status.observedGeneration(),
        status.conditions(),
        status.timelineId(),
        status.address(),
        report.postgresMajor() == 0 ? null : report.postgresMajor(),
        report.systemIdentifier() == 0 ? null : Long.toUnsignedString(report.systemIdentifier()),
        lsn(report.readableFromLsn()),
        lsn(report.receivedLsn()),
        lsn(report.publishedLsn()),
        report.lagBytes(),
        Math.round(report.lagSeconds()),
        report.copiedBytes(),
        report.layerBytes(),
        Conditions.text(now),
        status.shards());
  }

  private static TimelineStatus withTime(TimelineStatus status, @Nullable String time) {
    return new TimelineStatus(
        status.observedGeneration(),
        status.conditions(),
        status.timelineId(),
        status.address(),
        status.postgresMajor(),
        status.systemIdentifier(),
        status.readableFromLsn(),
        status.receivedLsn(),
        status.publishedLsn(),
        status.lagBytes(),
        status.lagSeconds(),
        status.copiedBytes(),
        status.layerBytes(),
        time,
        status.shards());
  }

  /** As PostgreSQL writes it; null for 0. */
  static @Nullable String lsn(long lsn) {
    return lsn == 0 ? null : String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL);
  }

  /** The status with an attachment written down that is about to be made. */
  public static TimelineStatus raised(
      @Nullable TimelineStatus before, Attach attach, int generation) {
    TimelineStatus base =
        before != null
            ? before
            : new TimelineStatus(
                null, null, null, null, null, null, null, null, null, null, null, null, null, null,
                null);
    TimelineStatus raised =
        new TimelineStatus(
            base.observedGeneration(),
            base.conditions(),
            base.timelineId(),
            base.address(),
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
            List.of(
                new ShardAttachment(
                    0,
                    attach.pod().name(),
                    attach.pod().uid(),
                    generation,
                    attach.settings(),
                    ATTACHING)));
    return measured(raised, base);
  }

  /** The pod that a tenant is placed on. */
  public static @Nullable PageserverPod placedOn(
      @Nullable Tenant tenant, List<PageserverPod> pods) {
    ShardPlacement placement = tenant == null ? null : TenantPlanner.placement(tenant.getStatus());
    if (placement == null) {
      return null;
    }
    for (PageserverPod pod : pods) {
      if (Objects.equals(pod.uid(), placement.podUid())) {
        return pod;
      }
    }
    return null;
  }
}
