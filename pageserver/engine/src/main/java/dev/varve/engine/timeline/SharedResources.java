package dev.varve.engine.timeline;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.read.PageCache;
import dev.varve.engine.tree.LayerResources;

/**
 * What the timelines of one pageserver share.
 *
 * @param pageCache materialised pages
 */
public record SharedResources(LayerResources layers, PageCache pageCache) {
  public static SharedResources of(EngineOptions options) {
    return new SharedResources(LayerResources.of(options), new PageCache(options.pageCacheBytes()));
  }
}
