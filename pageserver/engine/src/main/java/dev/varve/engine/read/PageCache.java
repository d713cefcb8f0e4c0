package dev.varve.engine.read;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.varve.engine.postgres.Page;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Materialised pages by timeline, key and LSN, bounded in bytes, shared by all timelines of a
 * pageserver. A page in it is never written to again: whoever gets one copies or sends it.
 */
public final class PageCache {
  private record Slot(long timeline, long key, long lsn) {}

  /** A page with the cache's own cost: key, entry and array header. */
  private static final int BYTES_PER_PAGE = Page.SIZE + 160;

  private final Cache<Slot, byte[]> pages;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();

  public PageCache(long bytes) {
    // Eviction is little work: handing it to another thread would cost more.
    pages =
        Caffeine.newBuilder()
            .executor(Runnable::run)
            .maximumSize(Math.max(1, bytes / BYTES_PER_PAGE))
            .build();
  }

  public byte @Nullable [] get(long timeline, long key, long lsn) {
    byte[] page = pages.getIfPresent(new Slot(timeline, key, lsn));
    (page == null ? misses : hits).increment();
    return page;
  }

  public void put(long timeline, long key, long lsn, byte[] page) {
    pages.put(new Slot(timeline, key, lsn), page);
  }

  public long hits() {
    return hits.sum();
  }

  public long misses() {
    return misses.sum();
  }
}
