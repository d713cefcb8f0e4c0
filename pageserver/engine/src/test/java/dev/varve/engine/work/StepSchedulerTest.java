package dev.varve.engine.work;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tree.StorageFailures;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** When steps are called, and in which order; driven by hand, but for the last tests. */
final class StepSchedulerTest {
  private final Deque<Runnable> handed = new ArrayDeque<>();
  private final List<String> ran = new ArrayList<>();
  private long now;
  private final StepScheduler scheduler = new StepScheduler(() -> now, handed::add);

  private static final class Host implements StepHost {
    private final String name;
    private final StorageFailures failures = new StorageFailures();
    private final StoreDeadline storeCalls = StoreDeadline.detached();
    private volatile @Nullable PageserverException failure;

    Host(String name) {
      this.name = name;
    }

    @Override
    public String tenant() {
      return name.substring(0, name.indexOf('/'));
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public boolean isRunning() {
      return failure == null;
    }

    @Override
    public void fail(PageserverException reason) {
      failure = reason;
    }

    @Override
    public StorageFailures failures() {
      return failures;
    }

    @Override
    public StoreDeadline storeCalls() {
      return storeCalls;
    }
  }

  private interface Unit {
    long run() throws IOException;
  }

  private final class TestStep implements Step {
    private final String name;
    private final StepPool pool;
    private final Unit unit;
    private boolean closed;

    TestStep(String name, StepPool pool, Unit unit) {
      this.name = name;
      this.pool = pool;
      this.unit = unit;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public StepPool pool() {
      return pool;
    }

    @Override
    public long run() throws IOException {
      ran.add(name);
      return unit.run();
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  private StepScheduler.Task add(Host host, String name, StepPool pool, Unit unit) {
    StepScheduler.Task task = scheduler.add(host, new TestStep(name, pool, unit));
    task.signal();
    return task;
  }

  /** Runs what was handed to the executor, and what that leads to. */
  private List<String> drain() {
    for (Runnable unit = handed.poll(); unit != null; unit = handed.poll()) {
      unit.run();
    }
    List<String> units = List.copyOf(ran);
    ran.clear();
    return units;
  }

  @Test
  void aStepIsCalledWhenItWantsToBeOrIsSignalled() {
    StepScheduler.Task task = add(new Host("t/m"), "s", StepPool.IDLE, () -> 100);
    assertEquals(List.of("s"), drain());
    assertEquals(100, scheduler.nextDueNanos());
    now = 99;
    scheduler.dispatchDue();
    assertEquals(List.of(), drain());
    now = 100;
    scheduler.dispatchDue();
    assertEquals(List.of("s"), drain());
    task.signal();
    task.signal();
    assertEquals(List.of("s"), drain());
    assertEquals(100, scheduler.nextDueNanos());
  }

  @Test
  void nothingIsScheduledForStepsThatWaitForASignal() {
    for (int i = 0; i < 1000; i++) {
      var _ = add(new Host("t" + i + "/m"), "s", StepPool.PUBLISH, () -> Step.WHEN_SIGNALLED);
    }
    assertEquals(1000, drain().size());
    assertEquals(Step.WHEN_SIGNALLED, scheduler.nextDueNanos());
    assertTrue(handed.isEmpty());
  }

  @Test
  void aSignalDuringAUnitIsNotLost() {
    StepScheduler.Task[] task = new StepScheduler.Task[1];
    AtomicInteger left = new AtomicInteger(3);
    task[0] =
        add(
            new Host("t/m"),
            "s",
            StepPool.FLUSH,
            () -> {
              if (left.decrementAndGet() > 0) {
                task[0].signal();
              }
              return Step.WHEN_SIGNALLED;
            });
    assertEquals(List.of("s", "s", "s"), drain());
  }

  @Test
  void tenantsTakeTurnsAndNoneTakesAllOfAPool() {
    int most = StepPool.PUBLISH.size;
    Host busy = new Host("busy/m");
    for (int i = 0; i < 3 * most; i++) {
      var _ = add(busy, "busy", StepPool.PUBLISH, () -> Step.WHEN_SIGNALLED);
    }
    assertEquals(StepPool.PUBLISH.sizePerTenant, handed.size());
    Host other = new Host("other/m");
    for (int i = 0; i < 3 * most; i++) {
      var _ = add(other, "other", StepPool.PUBLISH, () -> Step.WHEN_SIGNALLED);
    }
    assertEquals(most, handed.size());
    handed.remove().run();
    handed.remove().run();
    assertEquals(most, handed.size());
    assertEquals(6 * most - 2, drain().size() - 2);
  }

  @Test
  void aPoolThatIsUsedUpKeepsNoOtherFromRunning() {
    for (int i = 0; i < 100; i++) {
      var _ = add(new Host("t" + i + "/m"), "idle", StepPool.IDLE, () -> 0);
    }
    int idle = handed.size();
    assertEquals(StepPool.IDLE.size, idle);
    var _ = add(new Host("t/m"), "publish", StepPool.PUBLISH, () -> Step.WHEN_SIGNALLED);
    assertEquals(idle + 1, handed.size());
  }

  @Test
  void whatFailsIsTriedAgainAfterPausesThatGrow() {
    ExpectedLog.containing("t/m: s failed and is tried again: java.io.IOException: away");
    Host host = new Host("t/m");
    boolean[] away = {true};
    StepScheduler.Task task =
        add(
            host,
            "s",
            StepPool.IDLE,
            () -> {
              if (away[0]) {
                throw new IOException("away");
              }
              return Step.WHEN_SIGNALLED;
            });
    long pause = 0;
    for (int i = 0; i < 10; i++) {
      assertEquals(List.of("s"), drain());
      long next = scheduler.nextDueNanos();
      assertTrue(next >= pause && next <= TimeUnit.SECONDS.toNanos(10), "" + next);
      pause = next;
      task.signal();
      assertEquals(List.of(), drain(), "what happens meanwhile is no reason to hurry");
      now += next;
      scheduler.dispatchDue();
    }
    assertEquals(TimeUnit.SECONDS.toNanos(10), pause);
    var _ = drain();
    assertEquals(11, host.failures.errors());
    away[0] = false;
    task.urge();
    assertEquals(List.of("s"), drain());
    assertEquals(Step.WHEN_SIGNALLED, scheduler.nextDueNanos());
  }

  @Test
  void anErrorStopsTheTimelineAndEndsItsSteps() throws Exception {
    ExpectedLog.containing("t/m: stopped while s");
    Host host = new Host("t/m");
    TestStep other = new TestStep("other", StepPool.IDLE, () -> Step.WHEN_SIGNALLED);
    StepScheduler.Task waiting = scheduler.add(host, other);
    waiting.signal();
    assertEquals(List.of("other"), drain());
    StepScheduler.Task task =
        add(
            host,
            "s",
            StepPool.IDLE,
            () -> {
              throw new NoClassDefFoundError("injected");
            });
    assertEquals(List.of("s"), drain());
    assertNotNull(host.failure);
    assertTrue(task.join(Duration.ZERO));
    assertFalse(other.closed);
    waiting.urge();
    assertEquals(List.of(), drain());
    assertTrue(other.closed && waiting.join(Duration.ZERO));
  }

  @Test
  void aStepThatIsClosedIsNotCalledAgain() throws Exception {
    Host host = new Host("t/m");
    TestStep step = new TestStep("s", StepPool.IDLE, () -> 0);
    StepScheduler.Task running = scheduler.add(host, step);
    running.signal();
    running.close();
    assertFalse(step.closed, "it is under way");
    assertEquals(List.of(), drain());
    assertTrue(step.closed && running.join(Duration.ZERO));

    TestStep timed = new TestStep("timed", StepPool.IDLE, () -> 100);
    StepScheduler.Task waiting = scheduler.add(host, timed);
    waiting.signal();
    assertEquals(List.of("timed"), drain());
    waiting.close();
    assertTrue(timed.closed && waiting.join(Duration.ZERO));
    assertEquals(Step.WHEN_SIGNALLED, scheduler.nextDueNanos());
    waiting.signal();
    assertEquals(List.of(), drain());
    assertNull(host.failure);
  }

  /** With threads: none is left of a thousand timelines that have nothing to do. */
  @Test
  @Timeout(60)
  void idleTimelinesHaveNoThreads() throws Exception {
    try (StepScheduler threads = StepScheduler.started()) {
      CountDownLatch called = new CountDownLatch(2000);
      List<StepScheduler.Task> tasks = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        AtomicInteger calls = new AtomicInteger();
        StepScheduler.Task task =
            threads.add(
                new Host("t" + i + "/m"),
                new Step() {
                  @Override
                  public String name() {
                    return "s";
                  }

                  @Override
                  public StepPool pool() {
                    return StepPool.FLUSH;
                  }

                  @Override
                  public long run() {
                    called.countDown();
                    return calls.incrementAndGet() == 1 ? 1_000_000 : WHEN_SIGNALLED;
                  }
                });
        tasks.add(task);
        task.signal();
      }
      called.await();
      long mine =
          Thread.getAllStackTraces().keySet().stream()
              .filter(thread -> thread.getName().startsWith("varve-steps-"))
              .count();
      assertTrue(mine <= 2 * StepPool.FLUSH.size + 8, mine + " threads");
      for (StepScheduler.Task task : tasks) {
        task.close();
        assertTrue(task.join(Duration.ofSeconds(30)));
      }
    }
  }
}
