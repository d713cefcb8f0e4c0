package dev.varve.engine.work;

import dev.varve.engine.PageserverException;
import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tree.StorageFailures;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the steps of a timeline that may wait for each other, in turn. A step that fails is tried
 * again after a pause that grows; the others go on meanwhile. A timeline that stops ends it.
 */
final class StepThread {
  private static final Logger log = LoggerFactory.getLogger(StepThread.class);
  private static final Duration FIRST_RETRY = Duration.ofMillis(200);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(10);

  private final String timeline;
  private final List<Turn> turns;
  private final TimelineWriter writer;
  private final StorageFailures failures;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition signalled = lock.newCondition();
  private final Thread thread;
  private volatile boolean closed;

  /** One step, and when it is to be called; guarded by the lock but for {@code retry}. */
  private static final class Turn {
    final Step step;
    Duration retry = FIRST_RETRY;
    boolean failing;
    boolean wanted = true;
    long dueNanos;

    Turn(Step step) {
      this.step = step;
    }
  }

  /**
   * @param role of the thread, for its name
   * @param storeCalls ends the steps' calls of the object store, which may wait for long
   */
  StepThread(
      String role,
      String timeline,
      List<Step> steps,
      TimelineWriter writer,
      StorageFailures failures,
      StoreDeadline storeCalls) {
    this.timeline = timeline;
    this.turns = steps.stream().map(Turn::new).toList();
    this.writer = writer;
    this.failures = failures;
    thread = new Thread(() -> storeCalls.run(this::loop), role + " " + timeline);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** There may be something to do; steps that fail keep their pause. Any thread. */
  void signal() {
    signal(false);
  }

  /** There is something to do at once, also for steps that fail. Any thread. */
  void urge() {
    signal(true);
  }

  private void signal(boolean urgent) {
    lock.lock();
    try {
      for (Turn turn : turns) {
        turn.wanted |= urgent || !turn.failing;
      }
      signalled.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void loop() {
    while (goesOn()) {
      boolean ran = false;
      for (Turn turn : turns) {
        if (goesOn() && isDue(turn)) {
          run(turn);
          ran = true;
        }
      }
      if (!ran) {
        await();
      }
    }
    for (Turn turn : turns) {
      try {
        turn.step.close();
      } catch (IOException e) {
        log.info("{}: {} leaves something behind: {}", timeline, turn.step.name(), e.toString());
      }
    }
  }

  private boolean goesOn() {
    return !closed && writer.failure() == null;
  }

  private boolean isDue(Turn turn) {
    lock.lock();
    try {
      boolean due = turn.wanted || turn.dueNanos - System.nanoTime() <= 0;
      turn.wanted &= !due;
      return due;
    } finally {
      lock.unlock();
    }
  }

  private void run(Turn turn) {
    String what = turn.step.name();
    try {
      long pause = turn.step.run();
      if (turn.failing) {
        log.info("{}: {} works again", timeline, what);
        failures.over(what);
      }
      turn.retry = FIRST_RETRY;
      schedule(turn, false, pause);
    } catch (IOException | PageserverException.Unavailable e) {
      if (!turn.failing && !closed) {
        log.warn("{}: {} failed and is tried again: {}", timeline, what, e.toString());
      }
      failures.failed(what, e);
      schedule(turn, true, turn.retry.toNanos());
      Duration longer = turn.retry.multipliedBy(2);
      turn.retry = longer.compareTo(LONGEST_RETRY) > 0 ? LONGEST_RETRY : longer;
    } catch (PageserverException.Fenced e) {
      log.info("{}: stopped {}: {}", timeline, what, e.getMessage());
      writer.fail(e);
    } catch (PageserverException e) {
      writer.fail(e);
      if (!closed) {
        log.error("{}: stopped while {}: {}", timeline, what, e.getMessage(), e);
      }
    } catch (RuntimeException | Error e) {
      writer.fail(new PageserverException.Corrupt(timeline + ": " + what + ": " + e, e));
      log.error("{}: stopped while {}", timeline, what, e);
    }
  }

  private void schedule(Turn turn, boolean failing, long pauseNanos) {
    lock.lock();
    try {
      turn.failing = failing;
      turn.wanted &= !failing; // what happened meanwhile is no reason to hurry
      turn.dueNanos = System.nanoTime() + Math.min(pauseNanos, Long.MAX_VALUE / 4);
    } finally {
      lock.unlock();
    }
  }

  /** Until a step is due, or something happens; waking up early does no harm. */
  @SuppressWarnings("WaitNotInLoop")
  private void await() {
    lock.lock();
    try {
      long pause = Long.MAX_VALUE / 4;
      for (Turn turn : turns) {
        pause = Math.min(pause, turn.wanted ? 0 : turn.dueNanos - System.nanoTime());
      }
      if (goesOn() && pause > 0) {
        signalled.awaitNanos(pause);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      closed = true;
    } finally {
      lock.unlock();
    }
  }

  /** Begins no further unit; {@link #join} waits for the end of the one that is under way. */
  void close() {
    closed = true;
    urge();
  }

  void join() {
    boolean interrupted = false;
    try {
      thread.join(TimeUnit.SECONDS.toMillis(30));
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
