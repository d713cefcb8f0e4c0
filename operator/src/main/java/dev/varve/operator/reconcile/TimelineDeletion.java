package dev.varve.operator.reconcile;

import dev.varve.crd.DeletionPolicy;
import dev.varve.crd.Tenant;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import dev.varve.operator.pageserver.Fleet;
import dev.varve.operator.pageserver.PageserverClient;
import dev.varve.operator.plan.Holder;
import dev.varve.operator.plan.Notice;
import dev.varve.operator.plan.PageserverPod;
import dev.varve.operator.plan.ShardId;
import dev.varve.operator.plan.ShardLayout;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.plan.TenantPlanner;
import dev.varve.operator.plan.TimelinePlanner;
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

/**
 * The end of a timeline: each shard detached everywhere, its slot dropped, and by policy its
 * objects removed. A source that does not answer is given up after a while, with an event that says
 * how to drop the slot by hand; objects are never given up.
 */
final class TimelineDeletion {
  private static final Duration AGAIN = Duration.ofSeconds(3);

  private final KubernetesClient client;
  private final Fleet fleet;
  private final Duration slotDropTimeout;
  private final InstantSource clock;
  private final Events events;

  TimelineDeletion(
      KubernetesClient client, Fleet fleet, Duration slotDropTimeout, InstantSource clock) {
    this.client = client;
    this.fleet = fleet;
    this.slotDropTimeout = slotDropTimeout;
    this.clock = clock;
    this.events = new Events(client);
  }

  DeleteControl cleanup(Timeline timeline, @Nullable Tenant tenant) {
    boolean delete = policy(timeline, tenant) == DeletionPolicy.Delete;
    Credentials credentials = Credentials.read(client, timeline);
    boolean hasSource = timeline.getSpec().source() != null;
    boolean patient =
        Instant.parse(timeline.getMetadata().getDeletionTimestamp())
            .plus(slotDropTimeout)
            .isAfter(clock.instant());
    if (hasSource && credentials.access() == null && patient) {
      return wait(timeline, "its slot is to be dropped, but " + credentials.trouble());
    }
    SourceAccess access = patient ? credentials.access() : null;
    TimelineStatus status = timeline.getStatus();
    int attached = status == null || status.shards() == null ? 0 : status.shards().size();
    if (tenant == null && attached > 1) {
      return wait(
          timeline,
          "its Tenant is gone, which says what its shards are: create "
              + timeline.getSpec().tenant()
              + " again as it was, with shards: "
              + attached);
    }
    ShardLayout layout = tenant == null ? ShardLayout.WHOLE : ShardLayout.of(tenant);
    List<String> troubles =
        Fanout.each(
            layout.shards(timeline), shard -> end(shard, worker(tenant, shard), access, delete));
    for (String trouble : troubles) {
      if (!trouble.isEmpty()) {
        return wait(timeline, trouble);
      }
    }
    if (hasSource && access == null) {
      events.write(timeline, slotLeft(credentials.access(), layout));
    }
    return DeleteControl.defaultDelete();
  }

  private static Notice slotLeft(@Nullable SourceAccess access, ShardLayout layout) {
    String slot = access == null ? "NAME" : access.slot();
    return new Notice(
        true,
        "SlotLeft",
        "the source was given up: drop the slot there with SELECT "
            + (layout.count() == 1
                ? "pg_drop_replication_slot('" + slot + "')"
                : "pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name ~ '^"
                    + slot
                    + "_[0-9]+$'")
            + ", or it keeps WAL for ever");
  }

  private static DeletionPolicy policy(Timeline timeline, @Nullable Tenant tenant) {
    DeletionPolicy own = timeline.getSpec().deletionPolicy();
    if (own != null) {
      return own;
    }
    DeletionPolicy tenants = tenant == null ? null : tenant.getSpec().deletionPolicy();
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

  /** Empty when all is done, else what went wrong. */
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
        String trouble = publish(fleet.client(holder.pod()), shard);
        if (!trouble.isEmpty()) {
          return trouble;
        }
      }
    }
    for (Holder holder : fleet.holders(shard)) {
      if (!holder.pod().uid().equals(worker.uid())) {
        String trouble = detach(fleet.client(holder.pod()), shard, null, false);
        if (!trouble.isEmpty()) {
          return trouble;
        }
      }
    }
    return detach(fleet.client(worker), shard, access, delete);
  }

  /** What is retained includes what was received last, since its slot goes. */
  private static String publish(PageserverClient pageserver, ShardId shard) {
    try {
      pageserver.handOver(shard);
      return "";
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode() == Status.Code.UNAVAILABLE
          ? "what was received cannot be written to the object store yet: "
              + e.getStatus().getDescription()
          : "";
    }
  }

  private static String detach(
      PageserverClient pageserver, ShardId shard, @Nullable SourceAccess access, boolean delete) {
    try {
      pageserver.detach(shard, access, delete);
      return "";
    } catch (StatusRuntimeException e) {
      String why = String.valueOf(e.getStatus().getDescription());
      return switch (e.getStatus().getCode()) {
        case NOT_FOUND -> "";
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
        events.write(timeline, new Notice(true, "DeletionWaits", why));
      } catch (KubernetesClientException e) {
        if (!Conflict.isConflict(e) && !Conflict.isGone(e)) {
          throw e;
        }
      }
    }
    return DeleteControl.noFinalizerRemoval().rescheduleAfter(AGAIN.toMillis());
  }
}
