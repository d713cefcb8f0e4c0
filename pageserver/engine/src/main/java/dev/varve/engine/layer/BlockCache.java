package dev.varve.engine.layer;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Decompressed blocks of layers, bounded in bytes, shared by all layers of a pageserver. A block in
 * it is never written to again.
 */
public final class BlockCache {
  private record Slot(long layer, int block) {}

  private final Cache<Slot, byte[]> blocks;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();

  public BlockCache(long bytes) {
    // Eviction is little work: handing it to another thread would cost more.
    blocks =
        Caffeine.newBuilder()
            .executor(Runnable::run)
            .maximumWeight(bytes)
            .<Slot, byte[]>weigher((slot, block) -> block.length + 120)
            .build();
  }

  byte @Nullable [] get(long layer, int block) {
    byte[] bytes = blocks.getIfPresent(new Slot(layer, block));
    (bytes == null ? misses : hits).increment();
    return bytes;
  }

  void put(long layer, int block, byte[] bytes) {
    blocks.put(new Slot(layer, block), bytes);
  }

  public long hits() {
    return hits.sum();
  }

  public long misses() {
    return misses.sum();
  }
}
