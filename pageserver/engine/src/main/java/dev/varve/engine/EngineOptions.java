package dev.varve.engine;

import java.time.Duration;

/**
 * What bounds a pageserver's memory, disk and chains.
 *
 * @param openLayerBytes memory of a timeline's open layer at which it is frozen
 * @param openLayerAge age at which an open layer that holds anything is frozen
 * @param frozenLayers how many frozen layers may wait for their file before WAL has to wait
 * @param layerMemoryBytes memory of open and frozen layers, of all timelines together, at which WAL
 *     has to wait
 * @param unpublishedBytes how many bytes of layer files may wait for the object store before WAL
 *     has to wait
 * @param localCacheBytes how many bytes of published layer files are kept on the local disk, of all
 *     timelines together
 * @param pageCacheBytes memory for materialised pages, of all timelines together
 * @param blockCacheBytes memory for decompressed layer blocks, of all timelines together
 * @param imageAfterRecords a page that collects this many records in a layer gets an image there
 * @param compactAfterLayers how many freshly written delta layers are merged into one sorted run
 * @param targetLayerBytes size at which compaction begins the next file, before compression
 */
public record EngineOptions(
    long openLayerBytes,
    Duration openLayerAge,
    int frozenLayers,
    long layerMemoryBytes,
    long unpublishedBytes,
    long localCacheBytes,
    long pageCacheBytes,
    long blockCacheBytes,
    int imageAfterRecords,
    int compactAfterLayers,
    long targetLayerBytes) {
  public EngineOptions {
    requirePositive("openLayerBytes", openLayerBytes);
    requirePositive("openLayerAge", openLayerAge.toNanos());
    requirePositive("frozenLayers", frozenLayers);
    requirePositive("layerMemoryBytes", layerMemoryBytes);
    requirePositive("unpublishedBytes", unpublishedBytes);
    requirePositive("pageCacheBytes", pageCacheBytes);
    requirePositive("blockCacheBytes", blockCacheBytes);
    requirePositive("imageAfterRecords", imageAfterRecords);
    requirePositive("compactAfterLayers", compactAfterLayers);
    requirePositive("targetLayerBytes", targetLayerBytes);
  }

  private static void requirePositive(String name, long value) {
    if (value <= 0) {
      throw new IllegalArgumentException(name + " must be positive, not " + value);
    }
  }

  /** For a pageserver with one or two gigabytes of memory. */
  public static EngineOptions defaults() {
    return new EngineOptions(
        64 << 20,
        Duration.ofSeconds(5),
        2,
        384 << 20,
        2L << 30,
        20L << 30,
        128 << 20,
        128 << 20,
        64,
        8,
        128 << 20);
  }

  /** The same, frozen by other bounds: for tests and for small machines. */
  public EngineOptions withOpenLayer(long bytes, Duration age) {
    return new EngineOptions(
        bytes,
        age,
        frozenLayers,
        layerMemoryBytes,
        unpublishedBytes,
        localCacheBytes,
        pageCacheBytes,
        blockCacheBytes,
        imageAfterRecords,
        compactAfterLayers,
        targetLayerBytes);
  }
}
