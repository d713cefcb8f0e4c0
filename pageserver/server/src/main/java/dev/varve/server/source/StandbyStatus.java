package dev.varve.server.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports the positions of one connection's streams to the primary: when the published LSN moves or
 * the primary asks, else every ten seconds, then with a request to answer, so that a primary that
 * is gone is noticed by the silence. Its own thread runs {@link #run}, since the receiver's may be
 * held up for longer than {@code wal_sender_timeout} by back-pressure.
 *
 * <p>A WAL sender is a candidate for a synchronous standby when it is streaming and the flush
 * position of its standby's last reply is valid (PostgreSQL 17 {@code
 * src/backend/replication/syncrep.c}, {@code SyncRepGetCandidateStandbys}); {@code '*'} and {@code
 * ANY} match every name. A pageserver is none unless the user wants it to be: its replies have no
 * flush position, as those of {@code pg_receivewal}, and the published LSN as write position, which
 * is what a primary that shuts down waits for then ({@code WalSndDone}). The slot moves by a valid
 * flush position only ({@code ProcessStandbyReplyMessage}). {@link #firstReplies} bring one and
 * take it back while the WAL sender, which has just been told to start, is not streaming yet. So
 * the slot moves at the start of a stream, and this ends a stream for the receiver to start the
 * next one.
 *
 * <p>A receiver that takes in nothing for long, since its timeline waits for disk or object store,
 * gives up its connection: a WAL sender that waits for it would keep its buffers and hold up a
 * shutdown of the primary.
 */
final class StandbyStatus implements Runnable {
  static final Duration INTERVAL = Duration.ofSeconds(10);

  /** How long a stream lasts once the slot has something to let go of. */
  static final Duration STREAM_DURATION = Duration.ofSeconds(5);

  /** What the slot may have to let go of before a stream ends sooner, and how much sooner. */
  private static final long STREAM_BYTES = 64L << 20;

  private static final Duration SHORTEST_STREAM = Duration.ofMillis(500);

  /** How long the receiver may be held up before it gives up its connection. */
  private static final Duration HELD_UP_TIMEOUT = Duration.ofSeconds(10);

  /** A primary that asked so shortly ago may be shutting down: its stream is not to end. */
  private static final Duration ASKED = Duration.ofSeconds(1);

  private static final Logger LOG = LoggerFactory.getLogger(StandbyStatus.class);
  private static final long POLL_MILLIS = 10;
  private static final long EPOCH_2000_SECONDS = 946_684_800L;
  private static final long NEVER = 0;

  private final String name;
  private final PostgresConnection connection;
  private final WalSink sink;
  private final boolean synchronous;
  private volatile long streamedLsn;
  private volatile long confirmedLsn;
  private volatile long startedNanos = System.nanoTime();
  private volatile long askedNanos = startedNanos - ASKED.toNanos();
  private volatile long takingInNanos = NEVER;
  private volatile boolean answerDue;
  private volatile boolean streamEnded;
  private volatile boolean givenUp;
  private volatile boolean over;
  private volatile long reportedPublishedLsn;

  /** {@code synchronous}: the replies have a flush position, and the slot moves by them. */
  StandbyStatus(String name, PostgresConnection connection, WalSink sink, boolean synchronous) {
    this.name = name;
    this.connection = connection;
    this.sink = sink;
    this.synchronous = synchronous;
  }

  /**
   * The replies to send with the command that starts a stream from {@code startLsn}, and in one
   * write with it. They have to be read by the server at once: the first makes the WAL sender a
   * candidate, were it streaming already.
   */
  byte[][] firstReplies(long startLsn) {
    streamedLsn = startLsn;
    streamEnded = false;
    startedNanos = System.nanoTime();
    long published = sink.publishedLsn();
    confirmedLsn = published;
    reportedPublishedLsn = published;
    return synchronous
        ? new byte[][] {reply(published, true)}
        : new byte[][] {confirmation(published), reply(published, true)};
  }

  /** What the primary was told of last that it need not keep. Thread-safe. */
  long confirmedLsn() {
    return synchronous ? reportedPublishedLsn : confirmedLsn;
  }

  /** The receiver hands WAL to the sink; {@link #streamed} ends that. */
  void takingIn() {
    takingInNanos = System.nanoTime() | 1;
  }

  void streamed(long lsn) {
    streamedLsn = lsn;
    takingInNanos = NEVER;
  }

  /** The primary wants an answer. */
  void asked() {
    askedNanos = System.nanoTime();
    answerDue = true;
  }

  /** Whether this ended the stream, so that the next one is to be started. */
  boolean hasEndedStream() {
    return streamEnded;
  }

  /** Whether the connection was given up since the receiver was held up. */
  boolean hasGivenUp() {
    return givenUp;
  }

  /** Ends {@link #run} soon. */
  void end() {
    over = true;
  }

  @Override
  public void run() {
    long sentNanos = System.nanoTime();
    try {
      while (!over) {
        long now = System.nanoTime();
        boolean due = now - sentNanos >= INTERVAL.toNanos();
        if (due || answerDue || sink.publishedLsn() != reportedPublishedLsn) {
          answerDue = false;
          long published = sink.publishedLsn();
          if (connection.sendCopyData(reply(published, due))) {
            reportedPublishedLsn = published;
            sentNanos = now;
          }
        }
        if (!synchronous && !streamEnded && isStreamToEnd(now)) {
          streamEnded = true;
          connection.endCopy();
        }
        if (isHeldUp(now)) {
          LOG.info(
              "{}: took in no WAL for {} s; the primary's WAL sender is let go of until it does",
              name,
              HELD_UP_TIMEOUT.toSeconds());
          givenUp = true;
          connection.close();
          return;
        }
        Thread.sleep(POLL_MILLIS);
      }
    } catch (IOException e) {
      // The reader of the same connection meets the failure too, and reports it.
      connection.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      // A stream whose positions nobody reports would keep the primary's WAL for ever.
      connection.close();
      LOG.error("{}: a stream ends: its positions cannot be reported", name, e);
    }
  }

  private boolean isStreamToEnd(long now) {
    long kept = sink.publishedLsn() - confirmedLsn;
    long age = now - startedNanos;
    return now - askedNanos > ASKED.toNanos()
        && ((kept > 0 && age >= STREAM_DURATION.toNanos())
            || (kept >= STREAM_BYTES && age >= SHORTEST_STREAM.toNanos()));
  }

  private boolean isHeldUp(long now) {
    long since = takingInNanos;
    return since != NEVER && now - since >= HELD_UP_TIMEOUT.toNanos();
  }

  /** Moves the slot. */
  private byte[] confirmation(long published) {
    return message(published, published, false);
  }

  private byte[] reply(long published, boolean answerWanted) {
    return message(synchronous ? published : 0, published, answerWanted);
  }

  private byte[] message(long flushLsn, long published, boolean answerWanted) {
    long write = synchronous ? Math.max(streamedLsn, published) : published;
    Instant now = Instant.now();
    long micros = (now.getEpochSecond() - EPOCH_2000_SECONDS) * 1_000_000 + now.getNano() / 1_000;
    ByteBuffer message = ByteBuffer.allocate(34);
    message.put((byte) 'r');
    message.putLong(write).putLong(flushLsn).putLong(sink.receivedLsn());
    message.putLong(micros).put((byte) (answerWanted ? 1 : 0));
    return message.array();
  }
}
