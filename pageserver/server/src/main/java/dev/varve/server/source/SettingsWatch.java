package dev.varve.server.source;

import dev.varve.engine.PageserverException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the settings of one primary. PostgreSQL announces no change of them: WAL does not carry
 * them, and a streaming WAL sender reports none. So they are asked for, over a connection of its
 * own that is closed again, every {@link #INTERVAL}, and when somebody is about to use them; while
 * WAL is received only, since the receiver asks before it streams and no image is newer than what
 * it received. Owned by an attachment; its own thread runs {@link #run} until {@link #close}.
 *
 * <p>A primary that does not answer is the receiver's to report; here it only means that the last
 * settings stay.
 */
public final class SettingsWatch implements Runnable, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SettingsWatch.class);
  private static final Duration INTERVAL = Duration.ofSeconds(30);

  private final String name;
  private final PrimarySource source;
  private final PrimarySettings settings;
  private final WalSink sink;
  private final BooleanSupplier streaming;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition asked = lock.newCondition();
  private final Condition answered = lock.newCondition();
  private boolean wanted;
  private boolean closed;
  private long begun;
  private long ended;

  /**
   * @param name the timeline's, for logs and for what the primary shows of the connection
   * @param streaming whether WAL is received
   */
  public SettingsWatch(
      String name,
      PrimarySource source,
      PrimarySettings settings,
      WalSink sink,
      BooleanSupplier streaming) {
    this.name = name;
    this.source = source;
    this.settings = settings;
    this.sink = sink;
    this.streaming = streaming;
  }

  @Override
  public void run() {
    try {
      while (awaitTurn()) {
        if (streaming.getAsBoolean()) {
          ask();
        }
        answer();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      close();
    }
  }

  private void ask() {
    try (PostgresConnection connection = source.connect(name)) {
      sink.settings(settings.ask(connection));
    } catch (SourceException | IOException | PageserverException e) {
      LOG.debug("{}: the primary's settings could not be asked for", name, e);
    }
  }

  /** False when it was closed. */
  private boolean awaitTurn() throws InterruptedException {
    lock.lock();
    try {
      long left = INTERVAL.toNanos();
      while (!closed && !wanted && left > 0) {
        left = asked.awaitNanos(left);
      }
      wanted = false;
      begun++;
      return !closed;
    } finally {
      lock.unlock();
    }
  }

  private void answer() {
    lock.lock();
    try {
      ended = begun;
      answered.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Asks anew and waits for the answer, no longer than {@code timeout}. Callers at one time share
   * it.
   */
  public void refresh(Duration timeout) {
    if (!streaming.getAsBoolean()) {
      return;
    }
    lock.lock();
    try {
      long turn = begun + 1;
      wanted = true;
      asked.signal();
      long left = timeout.toNanos();
      while (!closed && ended < turn && left > 0) {
        left = answered.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      asked.signalAll();
      answered.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
