package dev.varve.operator.plan;

import dev.varve.crd.Placement;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantStatus;
import dev.varve.operator.plan.TenantWorld.Load;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Places a tenant's shard. It stays where it is for as long as its pod is there, matches, and is
 * ready or was within the grace; else it goes to the usable pod with the fewest shards, on the node
 * with the fewest, with the fewest bytes.
 */
public final class TenantPlanner {
  private final TenantWorld world;
  private final Tenant tenant;
  private final @Nullable TenantStatus before;
  private final List<Notice> notices = new ArrayList<>();

  private TenantPlanner(TenantWorld world) {
    this.world = world;
    this.tenant = world.tenant();
    this.before = tenant.getStatus();
  }

  public static TenantPlan plan(TenantWorld world) {
    return new TenantPlanner(world).plan();
  }

  /** The tenant's name on the pageservers and in the object store. */
  public static String tenantId(String namespace, String tenant) {
    return namespace + "." + tenant;
  }

  private TenantPlan plan() {
    ShardPlacement old = placement(before);
    PageserverPod pod = old == null ? null : pod(old.podUid());
    ShardPlacement next;
    Duration again = null;
    if (old != null && pod != null && mayStay(pod)) {
      next = with(old, pod.ready() ? ShardPlacement.State.Serving : ShardPlacement.State.Waiting);
      if (!pod.ready()) {
        again = Duration.between(world.now(), pod.readySince().plus(world.grace()));
      }
    } else {
      PageserverPod best = best();
      next = best == null ? waiting(old) : place(best, old, pod);
    }
    return new TenantPlan(status(next), !world.hasToken(), List.copyOf(notices), again);
  }

  static @Nullable ShardPlacement placement(@Nullable TenantStatus status) {
    return status == null || status.shards() == null || status.shards().isEmpty()
        ? null
        : status.shards().getFirst();
  }

  private @Nullable PageserverPod pod(String uid) {
    for (PageserverPod pod : world.pods()) {
      if (pod.uid().equals(uid)) {
        return pod;
      }
    }
    return null;
  }

  private boolean mayStay(PageserverPod pod) {
    return !pod.leaving()
        && matches(pod)
        && (pod.ready() || pod.readySince().plus(world.grace()).isAfter(world.now()));
  }

  private boolean matches(PageserverPod pod) {
    Placement placement = tenant.getSpec().placement();
    return placement == null
        || placement.pageserverLabels() == null
        || pod.labels().entrySet().containsAll(placement.pageserverLabels().entrySet());
  }

  private @Nullable PageserverPod best() {
    Map<String, Integer> shardsOfNode = new HashMap<>();
    for (PageserverPod pod : world.pods()) {
      shardsOfNode.merge(pod.node(), load(pod).shards(), Integer::sum);
    }
    return world.pods().stream()
        .filter(p -> p.isUsable() && matches(p))
        .min(
            Comparator.comparingInt((PageserverPod p) -> load(p).shards())
                .thenComparingInt(p -> shardsOfNode.getOrDefault(p.node(), 0))
                .thenComparingLong(p -> load(p).bytes())
                .thenComparing(PageserverPod::name))
        .orElse(null);
  }

  private Load load(PageserverPod pod) {
    return world.loads().getOrDefault(pod.uid(), Load.NONE);
  }

  private ShardPlacement place(
      PageserverPod best, @Nullable ShardPlacement old, @Nullable PageserverPod oldPod) {
    if (old == null) {
      notices.add(Notice.normal("Placed", "shard 0 is on " + best.name()));
    } else {
      notices.add(
          Notice.normal(
              "Moved",
              "shard 0 moved from " + old.pod() + ", " + whyLeft(oldPod) + ", to " + best.name()));
    }
    return new ShardPlacement(
        0,
        best.name(),
        best.uid(),
        best.node(),
        old == null ? 1 : old.placements() + 1,
        ShardPlacement.State.Serving);
  }

  private String whyLeft(@Nullable PageserverPod pod) {
    if (pod == null) {
      return "which is gone";
    }
    if (pod.leaving()) {
      return "which is being deleted";
    }
    return matches(pod) ? "which is not ready" : "which does not match spec.placement";
  }

  private @Nullable ShardPlacement waiting(@Nullable ShardPlacement old) {
    return old == null ? null : with(old, ShardPlacement.State.Waiting);
  }

  private static ShardPlacement with(ShardPlacement old, ShardPlacement.State state) {
    return new ShardPlacement(
        old.shard(), old.pod(), old.podUid(), old.node(), old.placements(), state);
  }

  private TenantStatus status(@Nullable ShardPlacement shard) {
    Conditions conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            tenant.getMetadata().getGeneration(),
            world.now());
    if (tenant.isMarkedForDeletion()) {
      conditions.put("Ready", false, "Deleting", deleting());
    } else if (shard == null) {
      conditions.put("Ready", false, "NoPageserver", noPageserver());
    } else if (shard.state() == ShardPlacement.State.Waiting) {
      conditions.put(
          "Ready",
          false,
          "PageserverNotReady",
          shard.pod()
              + " is not ready; the shard moves when it stays so and another pageserver is ready");
    } else {
      conditions.put("Ready", true, "Placed", "shard 0 is on " + shard.pod());
    }
    return new TenantStatus(
        tenant.getMetadata().getGeneration(),
        conditions.list(),
        tenantId(tenant.getMetadata().getNamespace(), tenant.getMetadata().getName()),
        "varve-" + tenant.getMetadata().getName() + "-token",
        world.timelines().size(),
        shard == null ? List.of() : List.of(shard));
  }

  private String deleting() {
    return world.timelines().isEmpty()
        ? "it is being deleted"
        : "it is being deleted, but Timelines still name it: delete "
            + String.join(", ", world.timelines());
  }

  private String noPageserver() {
    long ready = world.pods().stream().filter(PageserverPod::isUsable).count();
    if (ready > 0) {
      return ready
          + " pageservers are ready, but none has the labels of spec.placement.pageserverLabels:"
          + " label a StatefulSet's pods so, or change the placement";
    }
    return world.pods().isEmpty()
        ? "there is no pageserver: install or scale up the StatefulSet of pageservers"
        : "none of the "
            + world.pods().size()
            + " pageservers is ready: look at their pods and logs";
  }
}
