package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.plan.Reason.Kind;
import dev.varve.operator.plan.Report.State;
import dev.varve.operator.plan.ShardPlan.Verdict;
import dev.varve.operator.plan.TimelinePlan.Attach;
import dev.varve.operator.plan.TimelinePlan.HandOver;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one shard of a timeline attached to the pod that its tenant's status names, and moves it
 * there without a failed read while the pod that has it is alive:
 *
 * <ol>
 *   <li>the old pod hands over: it publishes everything, receives no more, serves on;
 *   <li>the new pod attaches with a raised generation;
 *   <li>the Service leads to the old one until the new one can be read and has received as much;
 *   <li>some seconds later, when readers have gone over, the old one is detached.
 * </ol>
 *
 * A pod that serves is kept while its successor cannot have the shard: the object store does not
 * answer, or was emptied. A pod that does not answer is not waited for: its successor attaches, and
 * the Service leads nowhere until that one can be read.
 */
final class ShardPlanner {
  /** How long a pod that cannot hand over is asked again. */
  static final Duration HAND_OVER_LIMIT = Duration.ofSeconds(10);

  /**
   * How long readers are given to go over to the pod that the Service leads to now: at least four
   * seconds, since whole ones are written down.
   */
  static final Duration READERS_LEAVE = Duration.ofSeconds(5);

  private static final Duration MOVING = Duration.ofSeconds(1);
  private static final Duration SOON = Duration.ofSeconds(2);
  private static final Duration RETRY_INTERVAL = Duration.ofSeconds(5);

  private final TimelineWorld world;
  private final ShardWorld shard;
  private final @Nullable ShardAttachment attached;

  /** The pod that the shard is attached to, with that attachment's generation. */
  private final @Nullable Holder current;

  private ShardPlanner(TimelineWorld world, ShardWorld shard) {
    this.world = world;
    this.shard = shard;
    this.attached = attachment(world.timeline().getStatus(), shard.shard());
    Holder holder = attached == null ? null : holder(attached);
    this.current =
        holder == null ? null : new Holder(holder.pod(), judged(attached, holder.report()));
  }

  static ShardPlan plan(TimelineWorld world, ShardWorld shard) {
    return new ShardPlanner(world, shard).plan();
  }

  /** The attachment of a shard that a status tells of. */
  static @Nullable ShardAttachment attachment(@Nullable TimelineStatus status, int shard) {
    if (status == null || status.shards() == null) {
      return null;
    }
    for (ShardAttachment attachment : status.shards()) {
      if (attachment.shard() == shard) {
        return attachment;
      }
    }
    return null;
  }

  private @Nullable Holder holder(ShardAttachment attachment) {
    for (Holder holder : shard.holders()) {
      if (holder.pod().uid().equals(attachment.podUid())
          && holder.report().generation() == attachment.generation()) {
        return holder;
      }
    }
    return null;
  }

  /**
   * What a pageserver says, but that a copy which failed is failing until it gets further than it
   * got: an attempt alone is no change.
   */
  private Report judged(@Nullable ShardAttachment attached, Report report) {
    boolean isAttempt =
        report.state() == State.Loading
            || (report.state() == State.Copying && report.copiedBytes() <= shard.copiedInVain());
    if (!isAttempt
        || report.isReadable()
        || attached == null
        || !attached.state().equals(State.SourceFailing.name())) {
      return report;
    }
    TimelineStatus status = world.timeline().getStatus();
    Condition source =
        Conditions.find(status == null ? null : status.conditions(), Kind.SOURCE_REACHABLE.type());
    return report.stillIn(
        !report.problem().isEmpty() || source == null ? report.problem() : source.message());
  }

  private ShardPlan plan() {
    Attach attach = attach();
    HandOver handOver = null;
    if (attach != null && canHandOver(attach.pod())) {
      handOver = new HandOver(shard.shard(), current().pod(), attach.pod());
      attach = null;
    }
    boolean settled = attach == null && handOver == null && isCurrentPlaced();
    Holder endpoint = endpoint(settled);
    ShardAttachment next = next(settled && Objects.equals(endpoint, current) ? world.now() : null);
    Verdict verdict = verdict(settled, endpoint);
    return new ShardPlan(
        handOver,
        attach,
        next,
        endpoint == null ? null : endpoint.pod(),
        settled ? detachFrom(next) : List.of(),
        current == null ? null : current.report(),
        endpoint != null ? endpoint.report() : current != null ? current.report() : null,
        verdict,
        again(verdict, settled, next));
  }

  private Holder current() {
    if (current == null) {
      throw new IllegalStateException("nobody has the shard");
    }
    return current;
  }

  private boolean isCurrentPlaced() {
    return current != null && shard.pod() != null && isOn(current, shard.pod());
  }

  private static boolean isOn(Holder holder, PageserverPod pod) {
    return holder.pod().uid().equals(pod.uid());
  }

  private @Nullable Attach attach() {
    PageserverPod pod = shard.pod();
    if (pod == null || !pod.isUsable() || world.token() == null || !shard.heard()) {
      return null;
    }
    SourceAccess access = world.access();
    if (world.timeline().getSpec().source() != null && access == null) {
      return null;
    }
    String key = world.digestKey();
    String settings = access == null ? SourceAccess.digest(key, "") : access.digest(key);
    if (attached == null) {
      return new Attach(shard.shard(), pod, true, settings, "it is new");
    }
    String why = "";
    if (!attached.podUid().equals(pod.uid())) {
      why = "its tenant moved there from " + attached.pod();
    } else if (!attached.settings().equals(settings)) {
      why = "its source or its password changed";
    } else if (current == null) {
      if (attached.state().equals(TimelinePlanner.ATTACHING)) {
        return new Attach(shard.shard(), pod, false, settings, "");
      }
      why = "the pageserver does not have it any more";
    } else if (current.report().state() == State.HandedOver) {
      why = "it was to leave there, and stays";
    }
    return why.isEmpty() ? null : new Attach(shard.shard(), pod, true, settings, why);
  }

  /** Whether the pod that has the shard is to publish it before {@code successor} gets it. */
  private boolean canHandOver(PageserverPod successor) {
    if (current == null || isOn(current, successor) || !current.report().isReadable()) {
      return false;
    }
    Instant since = shard.handOverSince();
    return current.report().state() != State.HandedOver
        && (since == null || since.plus(HAND_OVER_LIMIT).isAfter(world.now()));
  }

  private @Nullable Holder endpoint(boolean settled) {
    Holder now = current;
    if (settled && now != null && now.report().isReadable() && !isBehind(now)) {
      return now;
    }
    return shard.holders().stream()
        .filter(h -> h.report().isReadable() && !(settled && now != null && isOn(h, now.pod())))
        .max(Comparator.comparingInt(h -> h.report().generation()))
        .orElse(null);
  }

  /** Whether one that handed over has more, and readers have not been led away from it yet. */
  private boolean isBehind(Holder now) {
    return attached != null
        && attached.servingSince() == null
        && shard.holders().stream()
            .anyMatch(h ->
                h.report().state() == State.HandedOver
                    && h.report().isReadable()
                    && h.report().receivedLsn() > now.report().receivedLsn());
  }

  private @Nullable ShardAttachment next(@Nullable Instant serving) {
    if (attached == null || current == null) {
      return attached;
    }
    String since = attached.servingSince();
    if (since != null && Instant.parse(since).isAfter(world.now())) {
      since = null; // a clock was set back
    }
    return new ShardAttachment(
        attached.shard(),
        attached.pod(),
        attached.podUid(),
        attached.generation(),
        attached.settings(),
        current.report().state().name(),
        since == null && serving != null ? Conditions.text(serving) : since);
  }

  /** Those that nobody is to read from: at once, but for those that readers are on still. */
  private List<String> detachFrom(@Nullable ShardAttachment next) {
    List<String> uids = new ArrayList<>();
    boolean readersLeft = next != null && readersLeave(next).isZero();
    for (Holder holder : shard.holders()) {
      if (!isOn(holder, current().pod()) && (readersLeft || !holder.report().isReadable())) {
        uids.add(holder.pod().uid());
      }
    }
    return uids;
  }

  /** How long readers may be elsewhere still; not negative. */
  private Duration readersLeave(ShardAttachment next) {
    String since = next.servingSince();
    if (since == null) {
      return READERS_LEAVE;
    }
    Duration left = Duration.between(world.now(), Instant.parse(since).plus(READERS_LEAVE));
    return left.isNegative() ? Duration.ZERO : left;
  }

  private Verdict verdict(boolean settled, @Nullable Holder endpoint) {
    PageserverPod pod = shard.pod();
    Refusal refusal = shard.refusal();
    if (refusal != null && refusal.kind() == Refusal.Kind.LAYOUT) {
      return Verdict.warning(Reason.LayoutDiffers, layoutDiffers(refusal));
    }
    if (refusal != null) {
      return endpoint == null
          ? Verdict.warning(Reason.AttachRefused, refusal.message())
          : new Verdict(
              true,
              true,
              Reason.Moving,
              endpoint.pod().name() + " serves it, for it cannot be moved: " + refusal.message());
    }
    if (settled && current().report().state() == State.Broken) {
      return Verdict.warning(Reason.Broken, current().report().problem());
    }
    if (endpoint != null) {
      String name = endpoint.pod().name();
      return settled && endpoint.equals(current)
          ? Verdict.ready(Reason.Serving, name + " serves it")
          : Verdict.ready(
              Reason.Moving,
              name + " serves it until " + (pod == null ? "another" : pod.name()) + " does");
    }
    if (pod == null) {
      return Verdict.not(Reason.NotPlaced, notPlaced());
    }
    if (settled) {
      return unreadable(current().report(), pod);
    }
    if (!pod.isUsable() || !shard.heard()) {
      return Verdict.not(
          Reason.PageserverNotReady,
          pod.name() + " does not answer; the timeline moves with its tenant when it stays so");
    }
    if (world.token() == null) {
      Failure failure = world.tokenFailure();
      return failure == null
          ? Verdict.not(Reason.NoToken, "the tenant's token Secret is about to be made")
          : Verdict.not(failure.reason(), failure.message());
    }
    Failure failure = world.accessFailure();
    if (failure != null) {
      return Verdict.not(failure.reason(), failure.message());
    }
    return Verdict.not(Reason.Attaching, "it is being attached to " + pod.name());
  }

  private String layoutDiffers(Refusal refusal) {
    String tenant = world.timeline().getSpec().tenant();
    return refusal.message()
        + ". For the former delete this Timeline, with deletionPolicy: Retain, and the Tenant "
        + tenant
        + ", and create both again with those shards and that stripe";
  }

  private String notPlaced() {
    var placed =
        world.tenant() == null || world.tenant().getStatus() == null
            ? null
            : Conditions.find(world.tenant().getStatus().conditions(), TimelinePlanner.READY);
    return placed == null || placed.status().equals("True")
        ? "its tenant is about to be placed"
        : "its tenant: " + placed.message();
  }

  private Verdict unreadable(Report said, PageserverPod pod) {
    return switch (said.state()) {
      case Loading, HandedOver -> Verdict.not(Reason.Loading, pod.name() + " is loading it");
      case Copying ->
          Verdict.not(Reason.Copying, "the primary's data is being copied, see status.copiedBytes");
      case SourceFailing -> {
        Failure failure = TimelinePlanner.sourceFailure(world, said);
        yield Verdict.not(failure.reason(), failure.message());
      }
      case CatchingUp, Active, Broken ->
          Verdict.not(
              Reason.CatchingUp, "the WAL that the copy needs to be consistent is being received");
    };
  }

  private @Nullable Duration again(
      Verdict verdict, boolean settled, @Nullable ShardAttachment next) {
    switch (verdict.reason()) {
      case AttachRefused, LayoutDiffers, SecretMissing, SecretUnreadable -> {
        return RETRY_INTERVAL;
      }
      case InvalidSpec -> {
        return null; // until it is changed
      }
      default -> {}
    }
    if (shard.refusal() != null) {
      return RETRY_INTERVAL;
    }
    if (!settled) {
      return verdict.isReady() ? MOVING : SOON;
    }
    if (next == null || shard.holders().size() < 2) {
      return null;
    }
    Duration left = readersLeave(next);
    return next.servingSince() == null ? MOVING : left.isZero() ? RETRY_INTERVAL : left;
  }
}
