package dev.varve.operator.plan;

import dev.varve.crd.Condition;
import dev.varve.crd.ShardAttachment;
import dev.varve.crd.ShardPlacement;
import dev.varve.crd.ShardPlacement.State;
import dev.varve.crd.Tenant;
import dev.varve.crd.TenantSpec;
import dev.varve.crd.TenantStatus;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.Reason.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Places a tenant's shards. One stays where it is for as long as its pod is there, matches, is not
 * leaving, and is ready or was within the grace; else it goes to the best pod there is, see {@link
 * Balance}. When all are where they are to be and served there, one at a time is moved for the sake
 * of the balance.
 */
public final class TenantPlanner {
  /** When to see whether there is another one to move, if nothing tells before. */
  private static final Duration NEXT_MOVE = Duration.ofSeconds(3);

  private static final Duration RETRY_INTERVAL = Duration.ofSeconds(5);

  private static final Set<String> SERVED =
      Set.of(Report.State.Active.name(), Report.State.SourceFailing.name());

  private final TenantWorld world;
  private final Tenant tenant;
  private final @Nullable TenantStatus before;
  private final int count;
  private final Balance balance;
  private final List<Notice> notices = new ArrayList<>();
  private @Nullable Duration again;

  private TenantPlanner(TenantWorld world) {
    this.world = world;
    this.tenant = world.tenant();
    this.before = tenant.getStatus();
    this.count = ShardLayout.of(tenant).count();
    TenantSpec spec = tenant.getSpec();
    this.balance = new Balance(world.pods(), world.loads(), spec == null ? null : spec.placement());
  }

  public static TenantPlan plan(TenantWorld world) {
    return new TenantPlanner(world).plan();
  }

  /** The tenant's name on the pageservers and in the object store. */
  public static String tenantId(String namespace, String tenant) {
    return namespace + "." + tenant;
  }

  /** The pod that a shard of a tenant is placed on; null: none, or it is gone. */
  public static @Nullable PageserverPod placedOn(
      @Nullable Tenant tenant, int shard, List<PageserverPod> pods) {
    ShardPlacement placement = tenant == null ? null : placement(tenant.getStatus(), shard);
    return placement == null ? null : pod(pods, placement.podUid());
  }

  /** Whether every shard that is attached is served where it is attached. */
  public static boolean isServed(Timeline timeline) {
    if (timeline.getStatus() == null || timeline.getStatus().shards() == null) {
      return true;
    }
    return timeline.getStatus().shards().stream()
        .allMatch(a -> a.servingSince() != null && SERVED.contains(a.state()));
  }

  private static @Nullable ShardPlacement placement(@Nullable TenantStatus status, int shard) {
    if (status == null || status.shards() == null) {
      return null;
    }
    for (ShardPlacement placement : status.shards()) {
      if (placement.shard() == shard) {
        return placement;
      }
    }
    return null;
  }

  private static @Nullable PageserverPod pod(List<PageserverPod> pods, String uid) {
    for (PageserverPod pod : pods) {
      if (pod.uid().equals(uid)) {
        return pod;
      }
    }
    return null;
  }

  private TenantPlan plan() {
    Failure failure = world.tokenFailure();
    boolean makeToken = !world.hasToken() && failure == null && !tenant.isMarkedForDeletion();
    if (!world.invalid().isEmpty()) {
      List<@Nullable ShardPlacement> placed =
          new ArrayList<>(before == null || before.shards() == null ? List.of() : before.shards());
      return new TenantPlan(status(placed), false, List.of(), null);
    }
    if (failure != null) {
      again = RETRY_INTERVAL;
    }
    List<@Nullable ShardPlacement> shards = new ArrayList<>();
    for (int shard = 0; shard < count; shard++) {
      ShardPlacement stays = stay(placement(before, shard));
      shards.add(stays);
      if (stays != null) {
        balance.count(stays.podUid());
      }
    }
    boolean allStay = !shards.contains(null);
    for (int shard = 0; shard < count; shard++) {
      if (shards.get(shard) == null) {
        shards.set(shard, place(shard));
      }
    }
    if (allStay && isCalm(shards)) {
      spread(shards);
    }
    return new TenantPlan(status(shards), makeToken, List.copyOf(notices), again);
  }

  /** Null when it cannot stay. */
  private @Nullable ShardPlacement stay(@Nullable ShardPlacement old) {
    PageserverPod pod = old == null ? null : pod(world.pods(), old.podUid());
    if (old == null || pod == null || pod.leaving() || !balance.matches(pod)) {
      return null;
    }
    if (pod.ready()) {
      return with(old, State.Serving);
    }
    Duration left = Duration.between(world.now(), pod.readySince().plus(world.grace()));
    if (left.isNegative() || left.isZero()) {
      return null;
    }
    again = again == null || left.compareTo(again) < 0 ? left : again;
    return with(old, State.Waiting);
  }

  private @Nullable ShardPlacement place(int shard) {
    ShardPlacement old = placement(before, shard);
    PageserverPod best = balance.best();
    if (best == null) {
      return old == null ? null : with(old, State.Waiting);
    }
    balance.count(best.uid());
    if (old == null) {
      notices.add(Notice.normal("Placed", "shard " + shard + " is on " + best.name()));
      return on(best, shard, 1);
    }
    PageserverPod left = pod(world.pods(), old.podUid());
    return moved(old, best, whyLeft(left));
  }

  private ShardPlacement moved(ShardPlacement old, PageserverPod to, String why) {
    notices.add(
        Notice.normal(
            "Moved",
            "shard "
                + old.shard()
                + " moved from "
                + old.pod()
                + ", "
                + why
                + ", to "
                + to.name()));
    return on(to, old.shard(), old.placements() + 1);
  }

  private static ShardPlacement on(PageserverPod pod, int shard, int placements) {
    return new ShardPlacement(shard, pod.name(), pod.uid(), pod.node(), placements, State.Serving);
  }

  private String whyLeft(@Nullable PageserverPod pod) {
    if (pod == null) {
      return "which is gone";
    }
    if (pod.leaving()) {
      return "which is being deleted";
    }
    return balance.matches(pod) ? "which is not ready" : "which does not match spec.placement";
  }

  /** Whether nothing of the tenant is on its way: only then is something moved without need. */
  private boolean isCalm(List<@Nullable ShardPlacement> shards) {
    if (tenant.isMarkedForDeletion()) {
      return false;
    }
    for (ShardPlacement shard : shards) {
      if (shard == null || shard.state() != State.Serving) {
        return false;
      }
    }
    return world.timelines().stream().allMatch(t -> isServed(t) && isWherePlaced(t));
  }

  private boolean isWherePlaced(Timeline timeline) {
    if (timeline.getStatus() == null || timeline.getStatus().shards() == null) {
      return true;
    }
    for (ShardAttachment attachment : timeline.getStatus().shards()) {
      ShardPlacement placement = placement(before, attachment.shard());
      if (placement == null || !placement.podUid().equals(attachment.podUid())) {
        return false;
      }
    }
    return true;
  }

  /** The last shard on the fullest pod goes to the emptiest one, if that makes for a balance. */
  private void spread(List<@Nullable ShardPlacement> shards) {
    PageserverPod to = balance.best();
    ShardPlacement from = null;
    for (ShardPlacement shard : shards) {
      if (shard != null && (from == null || !balance.isFuller(from.podUid(), shard.podUid()))) {
        from = shard;
      }
    }
    if (to != null
        && from != null
        && canPublish(from)
        && to.store() == null
        && balance.isBetter(from.podUid(), to.uid())) {
      shards.set(from.shard(), moved(from, to, "which has more"));
      again = NEXT_MOVE;
    }
  }

  private boolean canPublish(ShardPlacement shard) {
    PageserverPod pod = pod(world.pods(), shard.podUid());
    return pod != null && pod.store() == null;
  }

  private static ShardPlacement with(ShardPlacement old, State state) {
    return new ShardPlacement(
        old.shard(), old.pod(), old.podUid(), old.node(), old.placements(), state);
  }

  private TenantStatus status(List<@Nullable ShardPlacement> all) {
    List<ShardPlacement> shards = new ArrayList<>();
    ShardPlacement waiting = null;
    for (ShardPlacement shard : all) {
      if (shard != null) {
        shards.add(shard);
        waiting = waiting == null && shard.state() == State.Waiting ? shard : waiting;
      }
    }
    Conditions conditions =
        new Conditions(
            before == null ? null : before.conditions(),
            tenant.getMetadata().getGeneration(),
            world.now());
    if (tenant.isMarkedForDeletion()) {
      conditions.put(Kind.TENANT_READY, false, Reason.Deleting, deleting());
    } else if (!world.invalid().isEmpty()) {
      conditions.put(Kind.TENANT_READY, false, Reason.InvalidSpec, world.invalid());
    } else if (world.tokenFailure() != null) {
      conditions.put(
          Kind.TENANT_READY, false, world.tokenFailure().reason(), world.tokenFailure().message());
    } else if (shards.size() < count) {
      conditions.put(Kind.TENANT_READY, false, Reason.NoPageserver, noPageserver());
    } else if (waiting != null) {
      conditions.put(
          Kind.TENANT_READY,
          false,
          Reason.PageserverNotReady,
          waiting.pod()
              + " is not ready; the shard moves when it stays so and another pageserver is ready");
    } else {
      conditions.put(Kind.TENANT_READY, true, Reason.Placed, placed(shards));
    }
    store(conditions, shards);
    return new TenantStatus(
        tenant.getMetadata().getGeneration(),
        conditions.list(),
        tenantId(tenant.getMetadata().getNamespace(), tenant.getMetadata().getName()),
        "varve-" + tenant.getMetadata().getName() + "-token",
        world.timelines().size(),
        shards,
        null);
  }

  /** As its Timelines have it, or else as its pageservers. */
  private void store(Conditions conditions, List<ShardPlacement> shards) {
    List<String> failing = new ArrayList<>();
    Condition first = null;
    long retained = 0;
    for (Timeline timeline : world.timelines()) {
      Condition condition = storeCondition(timeline);
      if (condition != null && condition.status().equals("False")) {
        failing.add(timeline.getMetadata().getName());
        first = first == null ? condition : first;
        Long bytes = timeline.getStatus().retainedWalBytes();
        retained += bytes == null ? 0 : bytes;
      }
    }
    if (first != null) {
      String kept = StoreFailure.retained(retained);
      conditions.put(
          Kind.TENANT_STORE,
          false,
          Reason.valueOf(first.reason()),
          "of Timelines "
              + String.join(", ", failing)
              + (kept.isEmpty() ? "" : ", whose primaries keep " + kept + " of WAL")
              + "; of "
              + failing.getFirst()
              + ": "
              + first.message());
      return;
    }
    if (shards.isEmpty()) {
      conditions.unknown(Kind.TENANT_STORE, Reason.NoPageserver, "no pageserver could tell");
      return;
    }
    for (ShardPlacement shard : shards) {
      PageserverPod pod = pod(world.pods(), shard.podUid());
      StoreFailure failure = pod == null ? null : pod.store();
      if (failure != null) {
        conditions.put(Kind.TENANT_STORE, false, failure.reason(), failure.text());
        return;
      }
    }
    conditions.put(Kind.TENANT_STORE, true, Reason.Reachable, "nothing fails there");
  }

  private static @Nullable Condition storeCondition(Timeline timeline) {
    return Conditions.find(
        timeline.getStatus() == null ? null : timeline.getStatus().conditions(),
        Kind.TIMELINE_STORE.type());
  }

  /** What of a Timeline's condition its tenant's is made of; empty: it has none. */
  public static String storeReason(Timeline timeline) {
    Condition condition = storeCondition(timeline);
    return condition == null ? "" : condition.status() + " " + condition.reason();
  }

  private static String placed(List<ShardPlacement> shards) {
    if (shards.size() == 1) {
      return "shard 0 is on " + shards.getFirst().pod();
    }
    return shards.size()
        + " shards are on "
        + shards.stream()
            .map(ShardPlacement::pod)
            .distinct()
            .sorted()
            .collect(Collectors.joining(", "));
  }

  private String deleting() {
    return world.timelines().isEmpty()
        ? "it is being deleted"
        : "it is being deleted, but Timelines still name it: delete "
            + world.timelines().stream()
                .map(t -> t.getMetadata().getName())
                .collect(Collectors.joining(", "));
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
