package dev.varve.operator.plan;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/**
 * A pageserver's pod as the API server shows it.
 *
 * @param uid tells a pod from one made anew under the same name, whose disk is empty
 * @param address its IP; empty until it has one
 * @param readySince when it last became ready or ceased to be
 * @param leaving it is being deleted: on drain, rolling update or scale-down
 */
public record PageserverPod(
    String name,
    String uid,
    String node,
    String address,
    Map<String, String> labels,
    boolean ready,
    Instant readySince,
    boolean leaving) {
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
    return new PageserverPod(name, uid, node, address, labels, false, first, leaving);
  }
}
