package dev.varve.operator.plan;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A pageserver's pod as the API server shows it.
 *
 * @param uid tells a pod from one made anew under the same name, whose disk is empty
 * @param address its IP; empty until it has one
 * @param readySince when it last became ready or ceased to be
 * @param leaving it is being deleted: on drain, rolling update or scale-down
 * @param store what any timeline meets at the object store from there; null: nothing that is known
 */
public record PageserverPod(
    String name,
    String uid,
    String node,
    String address,
    Map<String, String> labels,
    boolean ready,
    Instant readySince,
    boolean leaving,
    @Nullable StoreFailure store) {
  /** Whether something new may be placed on it. */
  public boolean isUsable() {
    return ready && !leaving && !address.isEmpty();
  }

  /**
   * The same pod, which has not answered since then. Kubernetes may call it ready still: it is not
   * when the grace is over.
   */
  public PageserverPod silentSince(Instant since, Duration grace, Instant now) {
    return ready && !since.plus(grace).isBefore(now) ? this : unreadySince(since);
  }

  /** The same pod, not ready since then, or since Kubernetes says so where that is earlier. */
  public PageserverPod unreadySince(Instant since) {
    Instant first = ready || since.isBefore(readySince) ? since : readySince;
    return new PageserverPod(name, uid, node, address, labels, false, first, leaving, store);
  }

  /** The same pod, of which that is known. */
  public PageserverPod withStore(@Nullable StoreFailure failure) {
    return new PageserverPod(name, uid, node, address, labels, ready, readySince, leaving, failure);
  }
}
