package dev.varve.engine.work;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tree.StorageFailures;
import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.tree.WorkSignals;
import dev.varve.engine.work.StepScheduler.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * The background work of one timeline: its steps, what wakes them, and their end. What was frozen
 * goes to disk and from there to the object store; what has become many is merged, what no manifest
 * lists is removed. What disk or store refuse is tried again until it is over: WAL waits at its
 * bounds in the meantime and nothing is lost.
 */
public final class TimelineWork implements StepHost, WorkSignals {
  private static final Duration LONGEST_UNIT = Duration.ofSeconds(30);

  private final String name;
  private final TimelineLayers layers;
  private final TimelineWriter writer;
  private final StepScheduler scheduler;
  private final StoreDeadline storeCalls = StoreDeadline.detached();
  private final Flush flush;
  private final Compaction compaction;
  private final Task flushing;
  private final Task publishing;
  private final Task merging;
  private final Task compacting;
  private final Task removing;
  private final Task auditing;
  private final List<Task> tasks = new ArrayList<>();
  private volatile boolean closed;

  /**
   * Begins with {@link #start}.
   *
   * @param name tenant/timeline
   * @param nanos a monotonic clock
   */
  public TimelineWork(
      String name,
      TimelineLayers layers,
      PageReader reader,
      RelationDictionary dictionary,
      TimelineWriter writer,
      EngineOptions options,
      StepScheduler scheduler,
      LongSupplier nanos) {
    this.name = name;
    this.layers = layers;
    this.writer = writer;
    this.scheduler = scheduler;
    int records = options.imageAfterRecords();
    flush = new Flush(layers, writer, new ChainBounder(reader, dictionary, records, false));
    compaction =
        new Compaction(layers, new ChainBounder(reader, dictionary, records, true), options, nanos);
    flushing = add(flush);
    publishing = add(new Publication(layers, writer));
    merging = add(compaction);
    compacting = add(new ManifestCompaction(layers));
    removing = add(new Removal(layers));
    auditing = add(new Audit(layers));
    add(new WarmUp(name, layers, () -> !isRunning()));
  }

  public void start() {
    layers.setSignals(this);
    writer.onStop(this::stopped);
    // What happened before this was the one to signal.
    tasks.forEach(Task::signal);
  }

  private Task add(Step step) {
    Task task = scheduler.add(this, step);
    tasks.add(task);
    return task;
  }

  // StepHost

  @Override
  public String tenant() {
    int slash = name.indexOf('/');
    return slash < 0 ? name : name.substring(0, slash);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public boolean isRunning() {
    return !closed && writer.failure() == null;
  }

  @Override
  public void fail(PageserverException reason) {
    writer.fail(reason);
  }

  @Override
  public StorageFailures failures() {
    return layers.failures();
  }

  @Override
  public StoreDeadline storeCalls() {
    return storeCalls;
  }

  // WorkSignals

  @Override
  public void flush() {
    flushing.signal();
  }

  @Override
  public void publish() {
    publishing.signal();
  }

  @Override
  public void published() {
    merging.signal();
    compacting.signal();
    removing.signal();
  }

  @Override
  public void remove() {
    removing.signal();
  }

  @Override
  public void audit() {
    auditing.signal();
  }

  /** The timeline stopped: its steps end. */
  private void stopped() {
    layers.wakePublished();
    tasks.forEach(Task::urge);
  }

  /** The open layer is frozen and published at once, whatever its age. */
  public void flushNow() {
    flush.freezeNow();
    flushing.urge();
    publishing.urge();
  }

  /**
   * Publishes what was received until now, and waits for it; merges leave it the bandwidth.
   *
   * @throws PageserverException.Unavailable when it took longer than {@code timeout}
   */
  public void publishNow(Duration timeout) {
    long lsn = writer.receivedLsn();
    compaction.pause(true);
    try {
      flushNow();
      if (!layers.awaitPublished(lsn, timeout, () -> !isRunning())) {
        throw notPublished(timeout);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PageserverException.Unavailable("interrupted", e);
    } finally {
      compaction.pause(false);
      merging.signal();
    }
  }

  private PageserverException notPublished(Duration timeout) {
    PageserverException failure = writer.failure();
    if (failure != null) {
      return failure;
    }
    String waiting = layers.failureText();
    return new PageserverException.Unavailable(
        name
            + ": cannot publish what was received"
            + (waiting.isEmpty() ? " in " + timeout.toSeconds() + " s" : ": " + waiting),
        null);
  }

  /** Begins no further step, and waits for those that are under way. */
  public void close() {
    closed = true;
    layers.setSignals(WorkSignals.NONE);
    layers.stopCommitting();
    layers.wakePublished();
    storeCalls.expire();
    tasks.forEach(Task::close);
    long deadline = System.nanoTime() + LONGEST_UNIT.toNanos();
    boolean interrupted = false;
    for (Task task : tasks) {
      try {
        var _ = task.join(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
