package dev.varve.compute.mount;

import dev.varve.compute.fuse.Errno;
import dev.varve.compute.fuse.FuseException;
import dev.varve.compute.page.AbandonedException;
import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
import dev.varve.compute.page.RelationList;
import dev.varve.compute.page.Waiter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Reads pages from the source for all files of all mounts of a compute: counts, and bounds what is
 * fetched ahead. Thread-safe.
 */
final class PageFetcher {
  /** Runs under way ahead of readers, of 1 MiB each. */
  private static final int AHEAD_RUNS = 8;

  /** Pages that readers of one mount may have asked for at a time: 48 MiB of the heap of all. */
  private static final int FOREGROUND_PAGES = 6144;

  /** How often a waiter is asked whether it still waits. */
  private static final long WAITER_MILLIS = 200;

  /** What a request may still take once everything is to end. */
  private static final long ENDING_NANOS = TimeUnit.SECONDS.toNanos(3);

  private final PageSource source;
  private final MountCounters counters;
  private final SourceLog log;
  private final Semaphore ahead = new Semaphore(AHEAD_RUNS);
  private final Semaphore foreground = new Semaphore(FOREGROUND_PAGES);
  private volatile boolean ending;

  PageFetcher(PageSource source, MountCounters counters, SourceLog log) {
    this.source = source;
    this.log = log;
    this.counters = counters;
  }

  MountCounters counters() {
    return counters;
  }

  /** Whether nothing can be read, as far as is known. */
  boolean isUnreadable() {
    return log.unreadable() != null;
  }

  /** From now on no request waits for long. */
  void end() {
    ending = true;
  }

  private Waiter bounded(Waiter waiter) {
    long start = System.nanoTime();
    return () -> ending && System.nanoTime() - start > ENDING_NANOS || waiter.gaveUp();
  }

  /** The answer to a request that failed. */
  FuseException failed(IOException failure) {
    counters.sourceErrors.increment();
    if (!(failure instanceof AbandonedException)) {
      log.failed(failure);
    }
    return new FuseException(Errno.EIO);
  }

  RelationList list(int tablespace, int database, int position, Waiter waiter) throws IOException {
    RelationList page = source.listRelations(tablespace, database, position, bounded(waiter));
    log.succeeded();
    return page;
  }

  RelationList relation(int tablespace, int database, int relation, Waiter waiter)
      throws IOException {
    RelationList forks = source.relation(tablespace, database, relation, bounded(waiter));
    log.succeeded();
    return forks;
  }

  ByteBuffer read(RelationFork fork, long firstBlock, int count, boolean isAhead, Waiter waiter)
      throws IOException {
    long start = System.nanoTime();
    Waiter bounded = bounded(waiter);
    int permits = isAhead ? 0 : count;
    acquire(permits, bounded);
    ByteBuffer pages;
    try {
      pages = source.readPages(fork, firstBlock, count, isAhead, bounded);
    } finally {
      foreground.release(permits);
    }
    log.succeeded();
    counters.requests.increment();
    counters.pages.add(count);
    if (isAhead) {
      counters.aheadPages.add(count);
    } else {
      counters.waitNanos.add(System.nanoTime() - start);
    }
    return pages;
  }

  private void acquire(int permits, Waiter waiter) throws AbandonedException {
    if (foreground.tryAcquire(permits)) {
      return;
    }
    boolean interrupted = false;
    try {
      while (true) {
        try {
          if (foreground.tryAcquire(permits, WAITER_MILLIS, TimeUnit.MILLISECONDS)) {
            return;
          }
        } catch (InterruptedException e) {
          interrupted = true;
        }
        if (waiter.gaveUp()) {
          throw new AbandonedException("waiting for other reads");
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Takes the right to one run ahead, to be used by {@link #runAhead}. */
  boolean tryAhead() {
    return ahead.tryAcquire();
  }

  /** Likewise, once there is room. */
  void awaitAhead() {
    ahead.acquireUninterruptibly();
  }

  /** Gives the right back unused. */
  void leaveAhead() {
    ahead.release();
  }

  void runAhead(Runnable run) {
    Thread.ofVirtual()
        .name("fetch-ahead")
        .start(() -> {
          try {
            run.run();
          } finally {
            ahead.release();
          }
        });
  }

  /**
   * Waits for another thread's request, which ends by the source's time limit.
   *
   * @throws FuseException EIO when the waiter gave up
   */
  void await(CountDownLatch done, Waiter waiter) throws FuseException {
    Waiter bounded = bounded(waiter);
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          if (done.await(WAITER_MILLIS, TimeUnit.MILLISECONDS)) {
            counters.waitNanos.add(System.nanoTime() - start);
            return;
          }
        } catch (InterruptedException e) {
          interrupted = true;
        }
        if (bounded.gaveUp()) {
          throw failed(new AbandonedException("waiting for another request"));
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
