package dev.varve.engine.timeline;

import dev.varve.engine.layer.BlockCache;

/**
 * What the timelines of one pageserver share, each within a bound.
 *
 * @param disk layer files
 * @param layerMemory layers that are not in files yet
 * @param blockCache decompressed blocks of layers
 * @param pageCache materialised pages
 */
public record SharedResources(
    LocalDisk disk, LayerMemory layerMemory, BlockCache blockCache, PageCache pageCache) {
  public static SharedResources of(EngineOptions options) {
    return new SharedResources(
        new LocalDisk(options.localCacheBytes()),
        new LayerMemory(options.layerMemoryBytes()),
        new BlockCache(options.blockCacheBytes()),
        new PageCache(options.pageCacheBytes()));
  }
}
