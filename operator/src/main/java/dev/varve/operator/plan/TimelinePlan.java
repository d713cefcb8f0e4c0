package dev.varve.operator.plan;

import dev.varve.crd.TimelineStatus;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done about a timeline.
 *
 * @param attach null: nothing to attach
 * @param status as far as the conditions and measures go; the shards are as they were
 * @param endpoint the pod that the Service leads to; null: none
 * @param detachFrom uids of pods that hold the timeline and should not
 * @param again when to look again at the latest; null: when something changes
 */
public record TimelinePlan(
    @Nullable Attach attach,
    TimelineStatus status,
    @Nullable PageserverPod endpoint,
    List<String> detachFrom,
    List<Notice> notices,
    @Nullable Duration again) {
  /**
   * An attachment to be made.
   *
   * @param raise whether a new generation is written down first; else the one in the status was
   *     written down and may not have been acted on
   * @param settings the digest of what the pageserver is told
   * @param why for the event
   */
  public record Attach(PageserverPod pod, boolean raise, String settings, String why) {}
}
