package dev.varve.server.source;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.FailureText;
import dev.varve.server.source.ReceiverStatus.State;
import dev.varve.server.source.SourceException.Kind;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one timeline fed with its primary's WAL: connects, streams from {@link WalSink#resumeLsn}
 * into the sink, reports positions, and starts over after a failure, waiting longer each time.
 * Owned by an attachment, whose thread runs {@link #run} until it is closed or the timeline can
 * take no more. Follows PostgreSQL 17 {@code doc/src/sgml/protocol.sgml}, "Streaming Replication
 * Protocol".
 */
public final class WalReceiver implements Runnable, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(WalReceiver.class);
  private static final Duration SILENCE = StandbyStatus.INTERVAL.multipliedBy(3);
  private static final Duration PUBLISH_PAUSE = Duration.ofMillis(200);

  /**
   * How long a primary that shuts down is let wait for publishing that makes no progress. It waits
   * as long as its standby is there.
   */
  private static final Duration SHUTDOWN_TIMEOUT = Duration.ofSeconds(10);

  /** A primary that shuts down asks again as soon as it is answered; else it asks rarely. */
  private static final Duration ASKS_AGAIN = Duration.ofSeconds(1);

  private static final long SHORTEST_PAUSE_MILLIS = 100;
  private static final long LONGEST_PAUSE_MILLIS = 5_000;

  /** How often the slot may be in use before that is a failure, and before it is taken over. */
  private static final int SLOT_IN_USE_ATTEMPTS = 20;

  private static final int TAKE_OVER_ATTEMPTS = 5;

  /** {@code w}, start, end of WAL, time. */
  private static final int WAL_HEADER_BYTES = 25;

  private final String name;
  private final PrimarySource source;
  private final PrimarySettings settings;
  private final PrimaryIdentity expected;
  private final WalSink sink;
  private final CountDownLatch closed = new CountDownLatch(1);

  private volatile State state = State.CONNECTING;
  private volatile SourceFailure failure = SourceFailure.NONE;
  private volatile long sourceLsn;
  private volatile long streamedLsn;
  private volatile long caughtUpNanos = System.nanoTime();
  private volatile @Nullable PostgresConnection current;
  private volatile @Nullable StandbyStatus positions;
  private volatile PrimaryLimits limits = PrimaryLimits.UNKNOWN;
  private boolean streamed;
  private int timesInUse;
  private long publishAskedNanos = System.nanoTime() - PUBLISH_PAUSE.toNanos();
  private long askedNanos = System.nanoTime() - ASKS_AGAIN.toNanos();
  private long waitedForNanos;
  private long waitedForLsn;

  /**
   * {@code name} is the timeline's, for logs; {@code expected} what the primary was when the
   * timeline was copied from it.
   */
  public WalReceiver(
      String name,
      PrimarySource source,
      PrimarySettings settings,
      PrimaryIdentity expected,
      WalSink sink) {
    this.name = name;
    this.source = source;
    this.settings = settings;
    this.expected = expected;
    this.sink = sink;
    streamedLsn = sink.resumeLsn();
  }

  /** What it is about now. Thread-safe. */
  public ReceiverStatus status() {
    StandbyStatus reported = positions;
    boolean behind = state != State.STREAMING || reported == null || streamedLsn < sourceLsn;
    double lagSeconds = behind ? (System.nanoTime() - caughtUpNanos) / 1e9 : 0;
    return new ReceiverStatus(
        state,
        failure,
        sourceLsn,
        streamedLsn,
        lagSeconds,
        reported == null ? 0 : reported.confirmedLsn(),
        limits);
  }

  /** Whether WAL comes. Thread-safe. */
  public boolean isStreaming() {
    return state == State.STREAMING;
  }

  @Override
  public void run() {
    long pauseMillis = SHORTEST_PAUSE_MILLIS;
    try {
      while (!isClosed()) {
        streamed = false;
        try {
          stream();
        } catch (SourceException e) {
          boolean inUse = e.kind() == Kind.SLOT_IN_USE;
          if (inUse && ++timesInUse <= SLOT_IN_USE_ATTEMPTS) {
            pauseMillis = 0;
          } else {
            sourceFailure(e);
          }
          if (inUse && takeSlotOver()) {
            continue;
          }
        } catch (PageserverException.Unavailable | PageserverException.LsnNotReceived e) {
          failure(State.SINK_FAILING, e);
        }
        pauseMillis =
            streamed
                ? SHORTEST_PAUSE_MILLIS
                : Math.clamp(pauseMillis * 2, SHORTEST_PAUSE_MILLIS, LONGEST_PAUSE_MILLIS);
        if (closed.await(pauseMillis, TimeUnit.MILLISECONDS)) {
          break;
        }
      }
      stop(State.STOPPED, "");
    } catch (PageserverException.Fenced e) {
      LOG.info("{}: stopped receiving: {}", name, e.getMessage());
      stop(State.FENCED, String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      stop(State.STOPPED, "");
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      if (isClosed()) {
        stop(State.STOPPED, "");
        return;
      }
      // The top of the thread: whatever it is, this WAL cannot be taken, and skipping it is out of
      // the question.
      stop(State.BROKEN, FailureText.of(e));
      LOG.error("{}: stopped receiving WAL at {}", name, Lsn.format(streamedLsn), e);
    }
  }

  /**
   * The pageserver that had the timeline before may not have let go of its slot yet. When it does
   * not do so by itself, and this one is the owner, it is made to: true when the slot may be free
   * now.
   */
  private boolean takeSlotOver() {
    if (timesInUse % TAKE_OVER_ATTEMPTS != 0 || !stopUnlessOwner()) {
      return false;
    }
    source.slot().endOtherReceiver(name);
    return true;
  }

  /** Ends receiving if somebody else owns the timeline now; false when that cannot be told. */
  private boolean stopUnlessOwner() {
    try {
      sink.requireOwner();
      return true;
    } catch (PageserverException.Unavailable e) {
      LOG.info("{}: cannot tell who owns it: {}", name, e.getMessage());
      return false;
    }
  }

  /** One connection: returns when the owner closed this, else throws why it ended. */
  private void stream() throws SourceException {
    try (PostgresConnection connection = source.connect(name)) {
      current = connection;
      if (isClosed()) {
        return;
      }
      PrimaryIdentity found = source.identify(connection);
      source.requireSameCluster(expected, found);
      source.slot().require(connection);
      long startLsn = sink.resumeLsn();
      source.requireWal(found, startLsn);
      receive(connection, found.tli(), startLsn);
    } catch (SourceException e) {
      if (!isClosed()) {
        throw e;
      }
    } finally {
      current = null;
      positions = null;
    }
  }

  /**
   * Streams again and again on one connection, since the slot moves at the start of a stream. The
   * later ones start where the last byte came, whatever record that is in.
   */
  private void receive(PostgresConnection connection, int tli, long startLsn)
      throws SourceException {
    streamedLsn = startLsn;
    StandbyStatus status =
        new StandbyStatus(name, connection, sink, source.settings().synchronous());
    positions = status;
    try {
      limits = source.limits(connection);
      sink.settings(settings.ask(connection));
      connection.readTimeout(SILENCE);
      boolean more = start(connection, tli, status);
      Thread.ofVirtual().name("varve-status-" + name).start(status);
      while (more) {
        while (connection.nextCopyData()) {
          message(connection.copyData(), status);
        }
        more = status.hasEndedStream();
        if (more) {
          limits = source.limits(connection);
          more = start(connection, tli, status);
        }
      }
    } catch (IOException e) {
      if (!status.hasGivenUp()) {
        throw source.streamingFailure(e, streamedLsn);
      }
      return;
    } finally {
      status.end();
    }
    throw new SourceException(
        Kind.OTHER_CLUSTER,
        "the primary's PostgreSQL timeline ended: a promotion cannot be followed; attach the new"
            + " primary under another name");
  }

  /** False when there is nothing to stream: the PostgreSQL timeline ended there. */
  private boolean start(PostgresConnection connection, int tli, StandbyStatus status)
      throws IOException {
    return connection.startCopy(
        "START_REPLICATION SLOT \""
            + source.settings().slot()
            + "\" PHYSICAL "
            + Lsn.format(streamedLsn)
            + " TIMELINE "
            + tli,
        status.firstReplies(streamedLsn));
  }

  private void message(ByteBuffer data, StandbyStatus status) throws IOException, SourceException {
    int type = data.hasRemaining() ? data.get(data.position()) : -1;
    if (type == 'w' && data.remaining() >= WAL_HEADER_BYTES) {
      int at = data.position();
      long lsn = data.getLong(at + 1);
      if (lsn != streamedLsn) {
        throw new ProtocolException(
            "the primary sent WAL of " + Lsn.format(lsn) + ", expected " + Lsn.format(streamedLsn));
      }
      int length = data.remaining() - WAL_HEADER_BYTES;
      seen(data.getLong(at + 9));
      status.takingIn();
      sink.receive(lsn, data.array(), data.arrayOffset() + at + WAL_HEADER_BYTES, length);
      streamedLsn = lsn + length;
      status.streamed(streamedLsn);
      nowStreaming();
    } else if (type == 'k' && data.remaining() >= 18) {
      seen(data.getLong(data.position() + 1));
      nowStreaming();
      if (data.get(data.position() + 17) != 0) {
        status.asked();
        publishIfWaitedFor();
      }
    } else {
      throw new ProtocolException(
          "the primary sent message " + type + " of " + data.remaining() + " bytes in its WAL");
    }
  }

  /**
   * A primary that asks though we have all it has may be shutting down: it leaves only when its
   * last record is published. One that asks at once when it is answered does so, and is let go when
   * nothing more is published.
   */
  private void publishIfWaitedFor() throws SourceException {
    long now = System.nanoTime();
    long published = sink.publishedLsn();
    boolean waits = streamedLsn >= sourceLsn && published < sink.receivedLsn();
    if (waits && now - publishAskedNanos > PUBLISH_PAUSE.toNanos()) {
      publishAskedNanos = now;
      sink.publishSoon();
    }
    boolean again = now - askedNanos < ASKS_AGAIN.toNanos();
    askedNanos = now;
    if (!waits || !again || published != waitedForLsn) {
      waitedForNanos = now;
      waitedForLsn = published;
    } else if (now - waitedForNanos > SHUTDOWN_TIMEOUT.toNanos()) {
      throw new SourceException(
          Kind.UNREACHABLE,
          "the primary, which seems to shut down, waits for WAL to be published that was not within "
              + SHUTDOWN_TIMEOUT.toSeconds()
              + " s, and is let go; its slot keeps that WAL");
    }
  }

  private void seen(long walEndLsn) {
    if (walEndLsn > sourceLsn) {
      sourceLsn = walEndLsn;
    }
  }

  private void nowStreaming() {
    if (streamedLsn >= sourceLsn) {
      caughtUpNanos = System.nanoTime();
    }
    if (!streamed) {
      streamed = true;
      if (!failure.equals(SourceFailure.NONE)) {
        LOG.info("{}: receiving WAL again, at {}", name, Lsn.format(streamedLsn));
      }
      failure = SourceFailure.NONE;
      timesInUse = 0;
      state = State.STREAMING;
    }
  }

  private void sourceFailure(SourceException e) {
    if (e.getCause() instanceof ServerError error && error.isTermination()) {
      stopUnlessOwner();
    }
    failure(State.SOURCE_FAILING, e);
  }

  private void failure(State kind, Exception e) {
    if (isClosed()) {
      return;
    }
    SourceFailure found = SourceFailure.of(e);
    if (!found.equals(failure)) {
      LOG.warn("{}: {}; trying again", name, found.text());
    }
    failure = found;
    state = kind;
  }

  private void stop(State end, String why) {
    failure = new SourceFailure(why, null);
    state = end;
  }

  private boolean isClosed() {
    return closed.getCount() == 0;
  }

  /** Ends {@link #run} soon; does not wait for it. */
  @Override
  public void close() {
    closed.countDown();
    PostgresConnection connection = current;
    if (connection != null) {
      connection.close();
    }
  }
}
