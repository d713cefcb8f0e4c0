package dev.varve.s3.client;

import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends requests that do not move: those of which no byte went either way for a time, those whose
 * caller's {@link StoreDeadline} is over, and those whose thread was interrupted. A request that
 * moves is never ended for the time that it takes. One thread looks at all requests that are under
 * way; it waits while there are none.
 *
 * <p>What is handed to the operating system counts as moved, though up to {@link
 * #SEND_BUFFER_BYTES} of it may still be in its send buffer. So a request may be silent, beyond the
 * timeout, for as long as its last bytes of that number took, or for their share of the timeout: of
 * one that sent more than the buffer holds the silence may take twice the timeout.
 */
final class RequestWatch implements AutoCloseable {
  /** Linux' default bound of a socket's send buffer ({@code net.ipv4.tcp_wmem}). */
  static final int SEND_BUFFER_BYTES = 4 << 20;

  private static final Logger LOG = LoggerFactory.getLogger(RequestWatch.class);
  private static final int MARK_BYTES = 256 << 10;
  private static final int MARKS = SEND_BUFFER_BYTES / MARK_BYTES;
  private static final long TICK_MILLIS = 50;

  private final long timeoutNanos;
  private final Set<Request> underWay = ConcurrentHashMap.newKeySet();
  private final Thread thread;
  private volatile boolean closed;

  RequestWatch(Duration timeout) {
    timeoutNanos = timeout.toNanos();
    thread = Thread.ofPlatform().daemon().name("varve-store-watch").start(this::run);
  }

  /** Ends the request from another thread: whatever waits in it fails. */
  interface Abort {
    void run();
  }

  /** The calling thread begins a request. */
  Request begin(Abort abort) {
    Request request = new Request(abort);
    underWay.add(request);
    synchronized (this) {
      notifyAll();
    }
    return request;
  }

  private void run() {
    try {
      while (!closed) {
        awaitRequests();
        for (Request request : underWay) {
          request.look();
        }
        TimeUnit.MILLISECONDS.sleep(TICK_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // closed
    }
  }

  private synchronized void awaitRequests() throws InterruptedException {
    while (underWay.isEmpty() && !closed) {
      wait();
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }

  /** One request under way. */
  final class Request {
    private final Abort abort;
    private final Thread caller = Thread.currentThread();
    private final StoreDeadline deadline = StoreDeadline.current();

    /** When each {@link #MARK_BYTES} had been sent, the last {@link #MARKS} of them. */
    private final long[] marks = new long[MARKS];

    private long markCount;
    private volatile long sentBytes;
    private volatile long receivedBytes;
    private volatile long movedNanos = System.nanoTime();
    private volatile long lastBufferNanos;
    private volatile @Nullable String verdict;

    private Request(Abort abort) {
      this.abort = abort;
      marks[0] = movedNanos;
      markCount = 1;
    }

    /** Bytes were handed to the connection; the caller's thread. */
    void sent(long bytes) {
      long now = System.nanoTime();
      long sent = sentBytes + bytes;
      while (sent >= markCount * MARK_BYTES) {
        marks[(int) (markCount++ % MARKS)] = now;
      }
      long took = now - marks[(int) (markCount < MARKS ? 0 : markCount % MARKS)];
      long share = timeoutNanos / MARKS * Math.min(markCount, MARKS);
      lastBufferNanos = Math.max(took, share);
      sentBytes = sent;
      movedNanos = now;
    }

    /** Bytes came; the caller's thread. */
    void received(long bytes) {
      long received = receivedBytes + bytes;
      receivedBytes = received;
      lastBufferNanos = 0;
      movedNanos = System.nanoTime();
    }

    /**
     * Ends it if it is to end: once, and whoever never says that it is over leaves nothing here.
     */
    private void look() {
      String reason = null;
      long silentNanos = System.nanoTime() - movedNanos;
      if (silentNanos > timeoutNanos + lastBufferNanos) {
        reason =
            "no byte moved for "
                + seconds(silentNanos)
                + " s ("
                + sentBytes
                + " sent, "
                + receivedBytes
                + " received)";
      } else if (deadline.isOver()) {
        reason = "the caller waits no longer";
      } else if (caller.isInterrupted()) {
        reason = "interrupted";
      }
      if (reason != null) {
        verdict = reason;
        end();
        try {
          abort.run();
        } catch (RuntimeException e) {
          // Without a watch every other request would wait for ever.
          LOG.error("a request that does not move cannot be ended: {}", reason, e);
        }
      }
    }

    private static String seconds(long nanos) {
      double seconds = nanos / 1e9;
      return seconds < 10 ? "%.1f".formatted(seconds) : Long.toString(Math.round(seconds));
    }

    /** The reason when this watch ended the request, else {@code e}. */
    IOException explain(IOException e) {
      String reason = verdict;
      if (reason == null) {
        return e;
      }
      InterruptedIOException ended = new InterruptedIOException(reason);
      ended.initCause(e);
      return ended;
    }

    /** The request is not watched any more; may be repeated. */
    void end() {
      underWay.remove(this);
    }
  }
}
