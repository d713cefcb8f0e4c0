package dev.varve.compute.mount;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** What a mount has done since it started. Thread-safe. */
public final class MountCounters {
  final LongAdder requests = new LongAdder();
  final LongAdder pages = new LongAdder();
  final LongAdder aheadPages = new LongAdder();
  final LongAdder waitNanos = new LongAdder();
  final LongAdder sourceErrors = new LongAdder();
  final LongAdder listings = new LongAdder();
  final AtomicLong localWriteErrors = new AtomicLong();

  /** Requests for pages sent to the source. */
  public long requests() {
    return requests.sum();
  }

  /** Pages fetched, with those ahead of a reader. */
  public long pages() {
    return pages.sum();
  }

  /** Pages fetched ahead of a reader. */
  public long aheadPages() {
    return aheadPages.sum();
  }

  /** Time that reads waited for the source, nanoseconds. */
  public long waitNanos() {
    return waitNanos.sum();
  }

  /** Reads and listings answered with EIO. */
  public long sourceErrors() {
    return sourceErrors.sum();
  }

  /** Relation lists fetched. */
  public long listings() {
    return listings.sum();
  }

  /**
   * Writes that the local disk refused. With the kernel's write-back cache PostgreSQL may never
   * hear of one, so the first must stop it.
   */
  public long localWriteErrors() {
    return localWriteErrors.get();
  }

  /** Counts pages that were copied without a mount. */
  public void copied(int count) {
    requests.increment();
    pages.add(count);
    aheadPages.add(count);
  }
}
