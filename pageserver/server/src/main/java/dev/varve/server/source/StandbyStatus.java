package dev.varve.server.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the primary of one stream how far we are: at once when the published LSN moves or the
 * primary asks, else every ten seconds, then with a request to answer, so that a primary that is
 * gone is noticed by the silence. Its own thread runs {@link #run}, since the receiver's may be
 * held up for longer than {@code wal_sender_timeout} by back-pressure.
 */
final class StandbyStatus implements Runnable {
  static final Duration INTERVAL = Duration.ofSeconds(10);

  private static final Logger LOG = LoggerFactory.getLogger(StandbyStatus.class);
  private static final long POLL_MILLIS = 10;
  private static final long EPOCH_2000_SECONDS = 946_684_800L;

  private final PostgresConnection connection;
  private final WalSink sink;
  private volatile long streamedLsn;
  private volatile boolean over;
  private long reportedPublishedLsn;

  StandbyStatus(PostgresConnection connection, WalSink sink, long startLsn) {
    this.connection = connection;
    this.sink = sink;
    this.streamedLsn = startLsn;
  }

  void streamed(long lsn) {
    streamedLsn = lsn;
  }

  /** Ends {@link #run} soon. */
  void end() {
    over = true;
  }

  @Override
  public void run() {
    long intervalNanos = INTERVAL.toNanos();
    long sentNanos = System.nanoTime();
    try {
      while (!over) {
        boolean due = System.nanoTime() - sentNanos >= intervalNanos;
        if (due || sink.publishedLsn() != reportedPublishedLsn) {
          send(due);
          sentNanos = System.nanoTime();
        }
        Thread.sleep(POLL_MILLIS);
      }
    } catch (IOException e) {
      // The reader of the same connection meets the failure too, and tells of it.
      connection.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      // A stream whose positions nobody reports would keep the primary's WAL for ever.
      connection.close();
      LOG.error("a stream ends: its positions cannot be reported", e);
    }
  }

  /** Sends where we are now. Thread-safe. */
  synchronized void send(boolean answerWanted) throws IOException {
    long published = sink.publishedLsn();
    long received = sink.receivedLsn();
    Instant now = Instant.now();
    long micros = (now.getEpochSecond() - EPOCH_2000_SECONDS) * 1_000_000 + now.getNano() / 1_000;
    ByteBuffer message = ByteBuffer.allocate(34);
    message.put((byte) 'r');
    message.putLong(Math.max(streamedLsn, published)).putLong(published).putLong(received);
    message.putLong(micros).put((byte) (answerWanted ? 1 : 0));
    connection.sendCopyData(message.array());
    reportedPublishedLsn = published;
  }
}
