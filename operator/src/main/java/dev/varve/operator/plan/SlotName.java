package dev.varve.operator.plan;

import dev.varve.crd.Source;
import dev.varve.crd.Timeline;
import dev.varve.crd.TimelineStatus;
import org.jspecify.annotations.Nullable;

/**
 * The replication slot of a timeline. One that the spec does not name is {@code
 * varve_NAMESPACE_NAME_HASH}: the hash, of the Timeline's uid, tells it from that of any other
 * Timeline, also of one of the same name in another cluster or made later; the rest is for people.
 */
public final class SlotName {
  /**
   * {@code NAMEDATALEN - 1} of {@code PostgreSQL 17 src/backend/replication/slot.c}, without the
   * {@code _63} that a shard's slot has behind at the longest.
   */
  private static final int MAX_CHARACTERS = 60;

  private static final int HASH_BYTES = 5;

  private SlotName() {}

  /** As the status has it, else as it is to be; null without a source that is valid. */
  public static @Nullable String of(Timeline timeline) {
    Source source = timeline.getSpec().source();
    if (source == null) {
      return null;
    }
    TimelineStatus status = timeline.getStatus();
    if (status != null && status.slot() != null) {
      return status.slot();
    }
    if (!SpecRules.source(source).isEmpty()) {
      return null;
    }
    String said = source.primary().slot();
    if (said != null) {
      return said;
    }
    // The status of one that was attached before it had a place for the slot's name.
    boolean isOld = status != null && status.shards() != null && !status.shards().isEmpty();
    return isOld ? ofNames(timeline) : ofUid(timeline);
  }

  private static String readable(Timeline timeline) {
    return ("varve_"
            + timeline.getMetadata().getNamespace()
            + "_"
            + timeline.getMetadata().getName())
        .replaceAll("[^a-z0-9_]", "_");
  }

  private static String ofUid(Timeline timeline) {
    String hash = Sha256.hex(timeline.getMetadata().getUid(), HASH_BYTES);
    String readable = readable(timeline);
    int most = MAX_CHARACTERS - 1 - hash.length();
    return readable.substring(0, Math.min(readable.length(), most)) + "_" + hash;
  }

  private static String ofNames(Timeline timeline) {
    String name = readable(timeline);
    String id = timeline.getMetadata().getNamespace() + "/" + timeline.getMetadata().getName();
    return name.length() <= MAX_CHARACTERS
        ? name
        : name.substring(0, MAX_CHARACTERS - 9) + "_" + "%08x".formatted(id.hashCode());
  }
}
