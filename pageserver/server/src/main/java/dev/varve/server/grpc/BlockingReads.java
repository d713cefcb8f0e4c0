package dev.varve.server.grpc;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;

/**
 * Where reads that may block run: a virtual thread each, so many at once and no more. Others wait
 * in theirs; how many those are is bounded by the streams' own limits.
 */
final class BlockingReads implements AutoCloseable {
  private final ExecutorService threads =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("varve-read-", 0).factory());

  private final Semaphore permits;

  BlockingReads(int concurrency) {
    permits = new Semaphore(concurrency);
  }

  /** Runs {@code read} as soon as there is room; {@code read} answers its own errors. */
  void execute(Runnable read) {
    threads.execute(() -> {
      permits.acquireUninterruptibly();
      try {
        read.run();
      } finally {
        permits.release();
      }
    });
  }

  /** Runs {@code work} on a thread of its own, outside the limit: for long streams. */
  void executeLong(Runnable work) {
    threads.execute(work);
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
