package dev.varve.compute.mount;

import dev.varve.compute.page.PageSource;
import dev.varve.compute.page.RelationFork;
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

  private static final long WAIT_SECONDS = 60;

  private final PageSource source;
  private final MountCounters counters;
  private final Semaphore ahead = new Semaphore(AHEAD_RUNS);

  PageFetcher(PageSource source, MountCounters counters) {
    this.source = source;
    this.counters = counters;
  }

  MountCounters counters() {
    return counters;
  }

  PageSource source() {
    return source;
  }

  ByteBuffer read(RelationFork fork, long firstBlock, int count, boolean isAhead)
      throws IOException {
    long start = System.nanoTime();
    ByteBuffer pages = source.readPages(fork, firstBlock, count, isAhead);
    counters.requests.increment();
    counters.pages.add(count);
    if (isAhead) {
      counters.aheadPages.add(count);
    } else {
      counters.waitNanos.add(System.nanoTime() - start);
    }
    return pages;
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
   * Waits for another thread's run, which ends by the source's time limit; the bound here is a
   * second fence.
   */
  void await(CountDownLatch done) {
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          long left = TimeUnit.SECONDS.toNanos(WAIT_SECONDS) - (System.nanoTime() - start);
          if (!done.await(left, TimeUnit.NANOSECONDS)) {
            throw new IllegalStateException(
                "a run of pages did not end within " + WAIT_SECONDS + " s");
          }
          counters.waitNanos.add(System.nanoTime() - start);
          return;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
