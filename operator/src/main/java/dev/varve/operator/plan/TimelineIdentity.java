package dev.varve.operator.plan;

import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import java.util.Collection;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * Which timeline of the object store a Timeline is: the one that it adopts, else one of its own,
 * whose id is made of the Timeline's uid. One that is deleted and made again under the same names
 * has another uid, and so is another timeline.
 */
public final class TimelineIdentity {
  private static final int ID_BYTES = 16;

  private TimelineIdentity() {}

  /** 32 lower-case hexadecimal digits, the same for the whole life of the object. */
  public static String of(Timeline timeline) {
    String adopted = timeline.getSpec().adopt();
    return adopted != null ? adopted : Sha256.hex(timeline.getMetadata().getUid(), ID_BYTES);
  }

  /**
   * The Timeline that has the same one and had it first; null: none. Only the first acts on it: the
   * one that was attached, else the older one, whose age is known to the second.
   *
   * @param others of the same tenant
   */
  public static @Nullable Timeline holderBefore(Timeline timeline, Collection<Timeline> others) {
    Comparator<Timeline> precedence =
        Comparator.comparing((Timeline t) -> !wasAttached(t))
            .thenComparing(t -> t.getMetadata().getCreationTimestamp())
            .thenComparing(t -> t.getMetadata().getUid());
    return others.stream()
        .filter(other -> SpecRules.names(other).isEmpty())
        .filter(other -> of(other).equals(of(timeline)))
        .min(precedence)
        .filter(first -> precedence.compare(first, timeline) < 0)
        .orElse(null);
  }

  private static boolean wasAttached(Timeline timeline) {
    TimelineStatus status = timeline.getStatus();
    return status != null && status.shards() != null && !status.shards().isEmpty();
  }
}
