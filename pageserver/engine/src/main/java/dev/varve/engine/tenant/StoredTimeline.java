package dev.varve.engine.tenant;

import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.Manifest;
import java.util.List;

/**
 * A timeline as the object store holds it, attached somewhere or not.
 *
 * @param name the last that it had
 * @param isDeleted whether its removal has begun and not ended
 * @param retainedSinceSeconds since when it is kept though nobody attaches it, in seconds of Unix;
 *     0: that was not written down
 * @param shards 1: not sharded
 * @param stripeBlocks 0 with one shard
 * @param systemIdentifier of the cluster; 0 while it holds nothing
 * @param postgresMajor likewise
 * @param publishedLsn the lowest of its shards
 * @param layerBytes of all shards
 */
public record StoredTimeline(
    TimelineId uid,
    String name,
    boolean isDeleted,
    long retainedSinceSeconds,
    int shards,
    int stripeBlocks,
    long systemIdentifier,
    int postgresMajor,
    long publishedLsn,
    long layerBytes) {
  /**
   * @param manifests the newest of each shard
   */
  static StoredTimeline of(
      TimelineId uid, TimelineLabel label, StoredLayout layout, List<Manifest> manifests) {
    Manifest first = manifests.getFirst();
    return new StoredTimeline(
        uid,
        label.name(),
        label.state() == TimelineLabel.State.DELETED,
        label.sinceSeconds(),
        layout.count(),
        layout.stripeBlocks(),
        first.systemIdentifier(),
        first.majorOrNull() == null ? 0 : first.majorOrNull().number(),
        manifests.stream().mapToLong(Manifest::publishedLsn).min().orElseThrow(),
        manifests.stream()
            .flatMap(manifest -> manifest.layers().stream())
            .mapToLong(LayerDescriptor::fileBytes)
            .sum());
  }
}
