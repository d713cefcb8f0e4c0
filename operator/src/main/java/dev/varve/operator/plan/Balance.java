package dev.varve.operator.plan;

import dev.varve.crd.Placement;
import dev.varve.operator.plan.TenantWorld.Load;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which pod is better for one more shard of a tenant: that with fewer shards of this tenant, then
 * with fewer of all, on the node with fewer, with fewer bytes. Counts are kept up as shards are
 * placed.
 *
 * <p>A move is worth its cost when it makes the first two more even, in this order. Each such move
 * lessens the sum of squares of the tenant's shards on the pods, or leaves that and lessens the one
 * of all shards: moves come to an end.
 */
final class Balance {
  private final List<PageserverPod> pods;
  private final Map<String, Load> loads;
  private final @Nullable Placement placement;
  private final Map<String, Integer> own = new HashMap<>();

  /**
   * @param loads by pod uid, of other tenants
   */
  Balance(List<PageserverPod> pods, Map<String, Load> loads, @Nullable Placement placement) {
    this.pods = pods;
    this.loads = loads;
    this.placement = placement;
  }

  /** One shard more of the tenant is on a pod. */
  void count(String podUid) {
    own.merge(podUid, 1, Integer::sum);
  }

  boolean matches(PageserverPod pod) {
    return placement == null
        || placement.pageserverLabels() == null
        || pod.labels().entrySet().containsAll(placement.pageserverLabels().entrySet());
  }

  /** One whose object store answers, if there is one. Null: none can be used. */
  @Nullable PageserverPod best() {
    Map<String, Integer> shardsOfNode = new HashMap<>();
    for (PageserverPod pod : pods) {
      shardsOfNode.merge(pod.node(), all(pod.uid()), Integer::sum);
    }
    return pods.stream()
        .filter(p -> p.isUsable() && matches(p))
        .min(
            Comparator.comparing((PageserverPod p) -> p.store() != null)
                .thenComparingInt(p -> own(p.uid()))
                .thenComparingInt(p -> all(p.uid()))
                .thenComparingInt(p -> shardsOfNode.getOrDefault(p.node(), 0))
                .thenComparingLong(p -> load(p.uid()).bytes())
                .thenComparing(PageserverPod::name))
        .orElse(null);
  }

  /** Whether the first pod has more than the second, of this tenant or else of all. */
  boolean isFuller(String podUid, String otherUid) {
    int difference = own(podUid) - own(otherUid);
    return difference > 0 || (difference == 0 && all(podUid) > all(otherUid));
  }

  /** Whether moving one shard makes things more even. */
  boolean isBetter(String fromUid, String toUid) {
    int difference = own(fromUid) - own(toUid);
    return difference >= 2 || (difference == 1 && all(fromUid) - all(toUid) >= 2);
  }

  private int own(String podUid) {
    return own.getOrDefault(podUid, 0);
  }

  private int all(String podUid) {
    return load(podUid).shards() + own(podUid);
  }

  private Load load(String podUid) {
    return loads.getOrDefault(podUid, Load.NONE);
  }
}
