package dev.varve.engine.work;

import dev.varve.engine.PageserverException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the steps of all timelines of a pageserver: so many at once of each {@link StepPool}, in
 * turn between tenants, and within a tenant in the order in which they became due. A step that
 * fails is tried again after a pause that grows; a timeline that stops ends its steps. Nothing
 * polls: a step is called when it is signalled, or when the time has come that it asked for.
 */
public final class StepScheduler implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StepScheduler.class);
  private static final Duration FIRST_RETRY = Duration.ofMillis(200);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(10);
  private static final Duration THREAD_KEEP_ALIVE = Duration.ofSeconds(10);

  private final LongSupplier nanos;
  private final Executor executor;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition earlier = lock.newCondition();
  private final Map<StepPool, Pool> pools = new EnumMap<>(StepPool.class);
  private final TreeSet<Task> due =
      new TreeSet<>(
          Comparator.<Task>comparingLong(task -> task.dueNanos).thenComparingLong(task -> task.id));
  private long lastId;
  private boolean closed;

  private enum State {
    WAITING,
    READY,
    RUNNING,
    ENDED
  }

  /** The steps of one pool that are ready, by tenant; guarded by the lock. */
  private static final class Pool {
    final StepPool kind;
    final Map<String, Share> shares = new LinkedHashMap<>();
    int running;

    Pool(StepPool kind) {
      this.kind = kind;
    }

    /** Takes the next step that may run now; its tenant is the last in turn then. */
    @Nullable Task take() {
      if (running == kind.size) {
        return null;
      }
      for (Map.Entry<String, Share> entry : shares.entrySet()) {
        Share share = entry.getValue();
        if (!share.ready.isEmpty() && share.running < kind.sizePerTenant) {
          shares.remove(entry.getKey());
          shares.put(entry.getKey(), share);
          running++;
          share.running++;
          return share.ready.remove();
        }
      }
      return null;
    }

    void add(Task task) {
      shares.computeIfAbsent(task.host.tenant(), _ -> new Share()).ready.add(task);
    }

    void remove(Task task) {
      Share share = shares.get(task.host.tenant());
      if (share != null) {
        share.ready.remove(task);
        dropEmpty(task.host.tenant(), share);
      }
    }

    void ran(Task task) {
      running--;
      Share share = shares.get(task.host.tenant());
      if (share != null) {
        share.running--;
        dropEmpty(task.host.tenant(), share);
      }
    }

    private void dropEmpty(String tenant, Share share) {
      if (share.running == 0 && share.ready.isEmpty()) {
        shares.remove(tenant);
      }
    }
  }

  private static final class Share {
    final ArrayDeque<Task> ready = new ArrayDeque<>();
    int running;
  }

  /** A step that the scheduler calls until it is closed or its timeline stops. */
  final class Task {
    private final StepHost host;
    private final Step step;
    private final long id;

    /** What follows is guarded by the scheduler's lock. */
    private State state = State.WAITING;

    private long dueNanos;
    private boolean isTimed;
    private boolean signalled;
    private boolean failing;
    private volatile boolean closing;
    private final Condition ended = lock.newCondition();

    /** Of the thread that runs it. */
    private Duration retry = FIRST_RETRY;

    private Task(StepHost host, Step step, long id) {
      this.host = host;
      this.step = step;
      this.id = id;
    }

    /** There may be something to do; a step that fails keeps its pause. Any thread. */
    void signal() {
      signal(false);
    }

    /** There is something to do at once, also for a step that fails. Any thread. */
    void urge() {
      signal(true);
    }

    private void signal(boolean urgent) {
      lock.lock();
      try {
        if (state == State.WAITING && (urgent || !failing)) {
          makeReady(this);
          dispatch();
        } else if (state == State.RUNNING) {
          signalled = true;
        }
      } finally {
        lock.unlock();
      }
    }

    /** Begins no further unit; {@link #join} waits for the end of the one that is under way. */
    void close() {
      boolean idle;
      lock.lock();
      try {
        closing = true;
        idle = state == State.WAITING || state == State.READY;
        if (state == State.WAITING) {
          withdraw(this);
        } else if (state == State.READY) {
          pool(this).remove(this);
        }
        if (idle) {
          state = State.RUNNING; // nobody else's
        }
      } finally {
        lock.unlock();
      }
      if (idle) {
        giveUp();
        end(this);
      }
    }

    private void giveUp() {
      try {
        step.close();
      } catch (IOException e) {
        log.info("{}: {} leaves something behind: {}", host.name(), step.name(), e.toString());
      } catch (RuntimeException | Error e) {
        log.error("{}: {} leaves something behind", host.name(), step.name(), e);
      }
    }

    /** Returns whether it has ended. */
    boolean join(Duration timeout) throws InterruptedException {
      lock.lockInterruptibly();
      try {
        long left = timeout.toNanos();
        while (state != State.ENDED) {
          if (left <= 0) {
            return false;
          }
          left = ended.awaitNanos(left);
        }
        return true;
      } finally {
        lock.unlock();
      }
    }

    /** Does one unit and returns the pause after it; whatever happens is the timeline's. */
    private Outcome runUnit() {
      String what = step.name();
      try {
        long pause = step.run();
        if (failing) {
          log.info("{}: {} works again", host.name(), what);
          host.failures().over(what);
        }
        retry = FIRST_RETRY;
        return new Outcome(false, pause);
      } catch (IOException | PageserverException.Unavailable e) {
        if (!failing && !closing) {
          log.warn("{}: {} failed and is tried again: {}", host.name(), what, e.toString());
        }
        host.failures().failed(what, e);
        Outcome outcome = new Outcome(true, retry.toNanos());
        Duration longer = retry.multipliedBy(2);
        retry = longer.compareTo(LONGEST_RETRY) > 0 ? LONGEST_RETRY : longer;
        return outcome;
      } catch (PageserverException.Fenced e) {
        log.info("{}: stopped {}: {}", host.name(), what, e.getMessage());
        host.fail(e);
      } catch (PageserverException e) {
        host.fail(e);
        if (!closing) {
          log.error("{}: stopped while {}: {}", host.name(), what, e.getMessage(), e);
        }
      } catch (RuntimeException | Error e) {
        host.fail(new PageserverException.Corrupt(host.name() + ": " + what + ": " + e, e));
        log.error("{}: stopped while {}", host.name(), what, e);
      }
      return new Outcome(true, Step.WHEN_SIGNALLED);
    }
  }

  private record Outcome(boolean failed, long pauseNanos) {}

  /**
   * One that another thread drives: by {@link #dispatchDue}, at or after {@link #nextDueNanos}.
   *
   * @param nanos a monotonic clock
   * @param executor runs units; not within {@code execute}
   */
  StepScheduler(LongSupplier nanos, Executor executor) {
    this.nanos = nanos;
    this.executor = executor;
    for (StepPool kind : StepPool.values()) {
      pools.put(kind, new Pool(kind));
    }
  }

  /** One with threads of its own, as many as there are steps to run at the time. */
  public static StepScheduler started() {
    ExecutorService threads =
        new ThreadPoolExecutor(
            0,
            Integer.MAX_VALUE, // the pools bound it
            THREAD_KEEP_ALIVE.toMillis(),
            TimeUnit.MILLISECONDS,
            new SynchronousQueue<>(),
            Thread.ofPlatform().daemon().name("varve-steps-", 0).factory());
    StepScheduler scheduler = new StepScheduler(System::nanoTime, threads);
    Thread.ofPlatform().daemon().name("varve-steps-due").start(scheduler::runTimer);
    return scheduler;
  }

  /** A step that is called when it was signalled first, and then when it wants to be. */
  Task add(StepHost host, Step step) {
    lock.lock();
    try {
      return new Task(host, step, ++lastId);
    } finally {
      lock.unlock();
    }
  }

  private Pool pool(Task task) {
    Pool pool = pools.get(task.step.pool());
    if (pool == null) {
      throw new IllegalStateException(task.step.name());
    }
    return pool;
  }

  private void withdraw(Task task) {
    if (task.isTimed) {
      due.remove(task);
      task.isTimed = false;
    }
  }

  private void makeReady(Task task) {
    withdraw(task);
    task.state = State.READY;
    pool(task).add(task);
  }

  /** Hands to the executor what may run. */
  private void dispatch() {
    if (closed) {
      return;
    }
    for (Pool pool : pools.values()) {
      for (Task task = pool.take(); task != null; task = pool.take()) {
        Task taken = task;
        taken.state = State.RUNNING;
        executor.execute(() -> run(taken));
      }
    }
  }

  private void run(Task task) {
    Thread thread = Thread.currentThread();
    String name = thread.getName();
    thread.setName(task.step.name() + " " + task.host.name());
    Outcome outcome = null;
    begin(task);
    try {
      if (!task.closing && task.host.isRunning()) {
        outcome = task.host.storeCalls().call(task::runUnit);
      }
    } finally {
      thread.setName(name);
      ran(task, outcome);
    }
  }

  /** What was signalled until now, this unit looks at. */
  private void begin(Task task) {
    lock.lock();
    try {
      task.signalled = false;
    } finally {
      lock.unlock();
    }
  }

  /**
   * @param outcome null: the timeline has stopped
   */
  private void ran(Task task, @Nullable Outcome outcome) {
    boolean goesOn = outcome != null && task.host.isRunning();
    lock.lock();
    try {
      pool(task).ran(task);
      if (goesOn && !task.closing && outcome != null) {
        task.failing = outcome.failed;
        // What happened meanwhile is no reason to hurry for one that fails.
        if (outcome.pauseNanos == 0 || task.signalled && !task.failing) {
          makeReady(task);
        } else {
          waitFor(task, outcome.pauseNanos);
        }
        dispatch();
        return;
      }
      dispatch();
    } finally {
      lock.unlock();
    }
    task.giveUp();
    end(task);
  }

  private void waitFor(Task task, long pauseNanos) {
    task.state = State.WAITING;
    if (pauseNanos != Step.WHEN_SIGNALLED) {
      task.dueNanos = nanos.getAsLong() + Math.min(pauseNanos, Long.MAX_VALUE / 4);
      task.isTimed = true;
      due.add(task);
      if (due.first() == task) {
        earlier.signalAll();
      }
    }
  }

  private void end(Task task) {
    lock.lock();
    try {
      task.state = State.ENDED;
      task.ended.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Makes ready what is due. */
  void dispatchDue() {
    lock.lock();
    try {
      long now = nanos.getAsLong();
      while (!due.isEmpty() && due.first().dueNanos - now <= 0) {
        makeReady(due.first());
      }
      dispatch();
    } finally {
      lock.unlock();
    }
  }

  /** Until a step is due; {@link Step#WHEN_SIGNALLED} when none will be. */
  long nextDueNanos() {
    lock.lock();
    try {
      return due.isEmpty()
          ? Step.WHEN_SIGNALLED
          : Math.max(0, due.first().dueNanos - nanos.getAsLong());
    } finally {
      lock.unlock();
    }
  }

  private void runTimer() {
    while (true) {
      dispatchDue();
      lock.lock();
      try {
        if (closed) {
          return;
        }
        long pause = nextDueNanos();
        if (pause == Step.WHEN_SIGNALLED) {
          earlier.await();
        } else if (pause > 0) {
          pause = earlier.awaitNanos(pause);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } finally {
        lock.unlock();
      }
    }
  }

  /** Calls no further step; those that run are their timelines' to wait for. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      earlier.signalAll();
    } finally {
      lock.unlock();
    }
    if (executor instanceof ExecutorService threads) {
      threads.shutdown();
    }
  }
}
