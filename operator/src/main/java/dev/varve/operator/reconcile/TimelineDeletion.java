package dev.varve.operator.reconcile;

import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Holder;
import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.ShardLayout;
import dev.varve.operator.plan.SlotNotice;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.plan.SpecRules;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TimelinePlanner;
import dev.varve.operator.render.SourceSecret;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.javaoperatorsdk.operator.api.reconciler.DeleteControl;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a timeline: each shard detached everywhere, its slot dropped, and by policy its
 * objects removed. A source that does not answer is given up after a while, one that never answered
 * at once, with an event that says how to drop the slot by hand; objects are never given up. What
 * the spec or its Secrets say wrong keeps no deletion.
 */
final class TimelineDeletion {
  private static final Logger LOG = LoggerFactory.getLogger(TimelineDeletion.class);
  private static final Duration AGAIN = Duration.ofSeconds(3);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final SourceCopies copies;
  private final Duration slotDropTimeout;
  private final InstantSource clock;
  private final Events events;

  TimelineDeletion(
      KubernetesClient client,
      Fleet fleet,
      SourceCopies copies,
      Duration slotDropTimeout,
      InstantSource clock) {
    this.client = client;
    this.fleet = fleet;
    this.copies = copies;
    this.slotDropTimeout = slotDropTimeout;
    this.clock = clock;
    this.events = new Events(client);
  }

  /**
   * @param isHolder whether no other Timeline had the same timeline first, which it is left to then
   */
  DeleteControl cleanup(Timeline timeline, @Nullable Tenant tenant, boolean isHolder) {
    if (!isHolder) {
      return done(timeline);
    }
    TimelineStatus status = timeline.getStatus();
    int attached = status == null || status.shards() == null ? 0 : status.shards().size();
    if (!SpecRules.names(timeline).isEmpty()) {
      // No pageserver ever took such names.
      return done(timeline);
    }
    boolean delete =
        policy(timeline, tenant) == DeletionPolicy.Delete && !isAdoptedInVain(timeline);
    ShardLayout layout =
        tenant == null ? layoutWithoutTenant(timeline, attached) : ShardLayout.of(tenant);
    List<ShardId> shards = layout.shards(timeline);
    boolean hasSlot = timeline.getSpec().source() != null && attached > 0;
    Credentials credentials = Credentials.read(client, timeline);
    SourceAccess access = hasSlot ? access(timeline, credentials) : null;
    boolean everReceived = hasSlot && everReceived(timeline, shards);
    boolean patient = everReceived && isPatient(timeline);
    if (hasSlot && access == null && patient) {
      return wait(timeline, SlotNotice.waiting(timeline, null, failure(credentials)));
    }
    boolean dropped = false;
    if (access != null && (patient || !everReceived)) {
      String failure = end(tenant, shards, access, delete);
      if (!failure.isEmpty() && patient) {
        return wait(timeline, SlotNotice.waiting(timeline, access, failure));
      }
      dropped = failure.isEmpty();
    }
    if (!dropped) {
      String failure = end(tenant, shards, null, delete);
      if (!failure.isEmpty()) {
        return wait(timeline, failure);
      }
      if (hasSlot) {
        report(timeline, SlotNotice.left(timeline, access, layout.count(), everReceived));
      }
    }
    return done(timeline);
  }

  /** What was retained, and was never served by this Timeline, is not its to delete. */
  private static boolean isAdoptedInVain(Timeline timeline) {
    TimelineStatus status = timeline.getStatus();
    return timeline.getSpec().adopt() != null
        && (status == null || status.systemIdentifier() == null);
  }

  private boolean isPatient(Timeline timeline) {
    return Instant.parse(timeline.getMetadata().getDeletionTimestamp())
        .plus(slotDropTimeout)
        .isAfter(clock.instant());
  }

  private DeleteControl done(Timeline timeline) {
    copies.remove(timeline);
    return DeleteControl.defaultDelete();
  }

  /** As the Secret says it, else as it was said when the timeline was attached last. */
  private @Nullable SourceAccess access(Timeline timeline, Credentials credentials) {
    SourceAccess now = credentials.access();
    return now != null ? now : SourceSecret.access(copies.secret(timeline));
  }

  private static String failure(Credentials credentials) {
    Failure failure = credentials.accessFailure();
    return failure == null ? "the source is not known" : failure.message();
  }

  /** Whether the primary ever answered; if not, its slot was hardly ever made. */
  private boolean everReceived(Timeline timeline, List<ShardId> shards) {
    return timeline.getStatus().systemIdentifier() != null
        || shards.stream()
            .flatMap(shard -> fleet.holders(shard).stream())
            .anyMatch(holder -> holder.report().systemIdentifier() != 0);
  }

  /** As pageservers hold it; else the usual stripe, which no matter but removal asks for. */
  private ShardLayout layoutWithoutTenant(Timeline timeline, int attached) {
    ShardLayout held = fleet.layout(timeline);
    return held != null ? held : new ShardLayout(Math.max(1, attached), ShardLayout.WHOLE.stripe());
  }

  /** In the namespace, or where that cannot be any more in the operator's own; and in the log. */
  private void report(Timeline timeline, Notice notice) {
    if (notice.warning()) {
      LOG.warn(
          "Timeline {}/{}: {}",
          timeline.getMetadata().getNamespace(),
          timeline.getMetadata().getName(),
          notice.message());
    }
    if (!events.write(timeline, notice)) {
      Secret secret = copies.secret(timeline);
      if (secret != null) {
        boolean _ = events.write(secret, notice);
      }
    }
  }

  private static DeletionPolicy policy(Timeline timeline, @Nullable Tenant tenant) {
    DeletionPolicy own = timeline.getSpec().deletionPolicy();
    if (own != null) {
      return own;
    }
    DeletionPolicy tenants =
        tenant == null || tenant.getSpec() == null ? null : tenant.getSpec().deletionPolicy();
    return tenants == null ? DeletionPolicy.Retain : tenants;
  }

  /** The pageserver that does it: the one that has the shard, or any. */
  private @Nullable PageserverPod worker(@Nullable Tenant tenant, ShardId shard) {
    PageserverPod placed = TenantPlanner.placedOn(tenant, shard.index(), fleet.pods());
    if (placed != null && placed.isUsable()) {
      return placed;
    }
    return fleet.pods().stream().filter(PageserverPod::isUsable).findFirst().orElse(null);
  }

  /** Of every shard: empty when all is done, else what went wrong first. */
  private String end(
      @Nullable Tenant tenant,
      List<ShardId> shards,
      @Nullable SourceAccess access,
      boolean delete) {
    return Fanout.each(shards, shard -> end(shard, worker(tenant, shard), access, delete)).stream()
        .filter(failure -> !failure.isEmpty())
        .findFirst()
        .orElse("");
  }

  private String end(
      ShardId shard,
      @Nullable PageserverPod worker,
      @Nullable SourceAccess access,
      boolean delete) {
    if (worker == null) {
      return delete || access != null ? "no pageserver is ready to do it: look at their pods" : "";
    }
    if (!delete && access != null) {
      for (Holder holder : fleet.holders(shard)) {
        String failure = publish(fleet.client(holder.pod()), shard);
        if (!failure.isEmpty()) {
          return failure;
        }
      }
    }
    for (Holder holder : fleet.holders(shard)) {
      if (!holder.pod().uid().equals(worker.uid())) {
        String failure = failure(() -> fleet.client(holder.pod()).detach(shard), false);
        if (!failure.isEmpty()) {
          return failure;
        }
      }
    }
    return failure(() -> fleet.client(worker).end(shard, access, delete), access != null);
  }

  /** What is retained includes what was received last, since its slot goes. */
  private static String publish(PageserverClient pageserver, ShardId shard) {
    try {
      pageserver.handOver(shard);
      return "";
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode() == Status.Code.UNAVAILABLE
          ? "what was received cannot be written to the object store yet: "
              + PageserverClient.text(e)
          : "";
    }
  }

  private static String failure(Runnable call, boolean hasSource) {
    try {
      call.run();
      return "";
    } catch (StatusRuntimeException e) {
      String why = PageserverClient.text(e);
      return switch (e.getStatus().getCode()) {
        case NOT_FOUND -> "";
        // Names that no pageserver takes: nothing is there.
        case INVALID_ARGUMENT -> hasSource ? why : "";
        case FAILED_PRECONDITION -> why + "; or set deletionPolicy: Retain here, and it is left";
        default -> why;
      };
    }
  }

  private DeleteControl wait(Timeline timeline, String why) {
    TimelineStatus status = TimelinePlanner.deleting(timeline, why, clock.instant());
    if (!status.equals(timeline.getStatus())) {
      timeline.setStatus(status);
      try {
        client.resource(timeline).updateStatus();
        boolean _ = events.write(timeline, new Notice(true, "DeletionWaits", why));
      } catch (KubernetesClientException e) {
        if (!Conflict.isConflict(e) && !Conflict.isGone(e)) {
          throw e;
        }
      }
    }
    return DeleteControl.noFinalizerRemoval().rescheduleAfter(AGAIN.toMillis());
  }
}
