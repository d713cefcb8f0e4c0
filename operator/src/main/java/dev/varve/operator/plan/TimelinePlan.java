package dev.varve.operator.plan;

import dev.varve.crd.TimelineStatus;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done about a timeline: hand over, then attach, then see again; then the rest.
 *
 * @param status the shards are as they were, but for their states
 * @param endpoints by shard: the pod that the Service leads to
 * @param detaches from pods that hold a shard and should not
 * @param again when to look again at the latest; null: when something changes
 */
public record TimelinePlan(
    List<HandOver> handOvers,
    List<Attach> attaches,
    TimelineStatus status,
    List<Optional<PageserverPod>> endpoints,
    List<Detach> detaches,
    List<Notice> notices,
    @Nullable Duration again) {
  /**
   * A pod that is to publish all of a shard and receive no more of it, but go on serving it, for
   * another one that finds it in the object store.
   */
  public record HandOver(int shard, PageserverPod pod, PageserverPod successor) {}

  /**
   * An attachment to be made.
   *
   * @param raise whether a new generation is written down first; else the one in the status was
   *     written down and may not have been acted on
   * @param settings the digest of what the pageserver is told
   * @param why for the event
   */
  public record Attach(int shard, PageserverPod pod, boolean raise, String settings, String why) {}

  /** A shard that a pod is to forget. */
  public record Detach(int shard, String podUid) {}
}
