package dev.varve.server.grpc;

import dev.varve.engine.store.StoreDeadline;
import io.grpc.Context;
import io.grpc.Deadline;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where reads that may block run: a virtual thread each, so many at once and no more, of one
 * timeline half of that, so that one whose objects do not come leaves room for the others. Others
 * wait in their threads; how many those are is bounded by the streams' own limits. Waiting for an
 * LSN to be received needs no room: a timeline that lags takes none from those that do not.
 *
 * <p>A read waits for the object store until shortly before the deadline of its call, so that the
 * caller gets the failure itself, and no longer than {@link #STORE_TIMEOUT}, over all of its
 * retries.
 */
final class BlockingReads implements AutoCloseable {
  static final Duration STORE_TIMEOUT = Duration.ofSeconds(30);

  private final ExecutorService threads =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("varve-read-", 0).factory());

  private final Semaphore permits;
  private final int permitsOfOne;

  /** Of the timelines that are being read; guarded by itself. */
  private final Map<String, Share> shares = new HashMap<>();

  private static final class Share {
    final Semaphore permits;
    int reads;

    Share(int permits) {
      this.permits = new Semaphore(permits);
    }
  }

  BlockingReads(int concurrency) {
    permits = new Semaphore(concurrency);
    permitsOfOne = Math.max(1, concurrency / 2);
  }

  /** What a read does, on a thread of its own. */
  interface Work {
    void run(Room room);
  }

  /** One read's way to the limit. */
  final class Room {
    private final String timeline;
    private final @Nullable Deadline call;

    private Room(String timeline, @Nullable Deadline call) {
      this.timeline = timeline;
      this.call = call;
    }

    /** Reads as soon as there is room. */
    <T> T read(Supplier<T> read) {
      Share share = begin(timeline);
      try {
        share.permits.acquireUninterruptibly();
        try {
          permits.acquireUninterruptibly();
          try {
            return deadline(call, STORE_TIMEOUT).call(read);
          } finally {
            permits.release();
          }
        } finally {
          share.permits.release();
        }
      } finally {
        end(timeline, share);
      }
    }
  }

  /**
   * Runs {@code work}, which waits for what it needs and then reads in its {@link Room}; it answers
   * its own errors.
   *
   * @param timeline by its name, as the caller wrote it
   */
  void execute(String timeline, Work work) {
    Room room = new Room(timeline, Context.current().getDeadline());
    threads.execute(() -> work.run(room));
  }

  private Share begin(String timeline) {
    synchronized (shares) {
      Share share = shares.computeIfAbsent(timeline, _ -> new Share(permitsOfOne));
      share.reads++;
      return share;
    }
  }

  private void end(String timeline, Share share) {
    synchronized (shares) {
      if (--share.reads == 0) {
        shares.remove(timeline);
      }
    }
  }

  /**
   * Runs {@code work} on a thread of its own, outside the limit: for long streams. It waits for the
   * object store until the deadline of its call.
   */
  void executeLong(Runnable work) {
    Deadline call = Context.current().getDeadline();
    threads.execute(() -> deadline(call, null).run(work));
  }

  private static StoreDeadline deadline(@Nullable Deadline call, @Nullable Duration limit) {
    Duration left =
        call == null ? null : Duration.ofNanos(call.timeRemaining(TimeUnit.NANOSECONDS) / 8 * 7);
    if (left == null) {
      return limit == null ? StoreDeadline.open() : StoreDeadline.after(limit);
    }
    return StoreDeadline.after(limit == null || left.compareTo(limit) < 0 ? left : limit);
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
