package dev.varve.engine.tree;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.layer.BlockCache;

/**
 * What the layers of one pageserver's timelines share, each within a bound.
 *
 * @param disk layer files
 * @param memory layers that are not in files yet
 * @param blockCache decompressed blocks of layers
 */
public record LayerResources(LocalDisk disk, LayerMemory memory, BlockCache blockCache) {
  public static LayerResources of(EngineOptions options) {
    return new LayerResources(
        new LocalDisk(options.localCacheBytes()),
        new LayerMemory(options.layerMemoryBytes()),
        new BlockCache(options.blockCacheBytes()));
  }
}
