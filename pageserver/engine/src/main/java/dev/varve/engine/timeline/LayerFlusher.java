package dev.varve.engine.timeline;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings what was frozen to disk and from there to the object store, on threads of its own: the
 * <em>writer</em> makes a layer file of each frozen layer, so that memory is free again however
 * slow the object store is; the <em>publisher</em> uploads the files and commits a manifest that
 * lists them, and merges what has become many. A third one, the <em>warmer</em>, fetches the newest
 * layers of a timeline that was attached, and ends. What disk or store refuse is tried again until
 * it is over: WAL waits at its bounds in the meantime and nothing is lost.
 */
final class LayerFlusher {
  private static final Logger log = LoggerFactory.getLogger(LayerFlusher.class);
  private static final Duration IDLE = Duration.ofMillis(200);
  private static final long POLL_MILLIS = 5;
  private static final Duration FIRST_RETRY = Duration.ofMillis(200);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(10);

  private final String name;
  private final TimelineLayers layers;
  private final TimelineWriter writer;
  private final ChainBounder bounder;
  private final Compaction compaction;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Thread fileThread;
  private final Thread publishThread;
  private final Thread warmThread;

  /** Ends the threads' calls of the object store, which may wait for long, when they are to end. */
  private final StoreDeadline storeCalls = StoreDeadline.detached();

  private volatile boolean flushNow;
  private volatile boolean closed;

  /** One round of a thread's work. */
  private interface Round {
    /** Returns whether there was anything to do. */
    boolean run() throws IOException;
  }

  LayerFlusher(
      String name,
      TimelineLayers layers,
      PageReader reader,
      RelationDictionary dictionary,
      TimelineWriter writer,
      EngineOptions options) {
    this.name = name;
    this.layers = layers;
    this.writer = writer;
    this.bounder = new ChainBounder(reader, dictionary, options.imageAfterRecords(), false);
    this.compaction =
        new Compaction(
            layers,
            new ChainBounder(reader, dictionary, options.imageAfterRecords(), true),
            options);
    fileThread = thread("layers ", () -> loop("writing a layer", this::writeOne));
    publishThread = thread("publish ", () -> loop("publishing", this::publish));
    warmThread = thread("warm ", this::warm);
  }

  private Thread thread(String role, Runnable work) {
    Thread thread = new Thread(() -> storeCalls.run(work), role + name);
    thread.setDaemon(true);
    return thread;
  }

  void start() {
    fileThread.start();
    publishThread.start();
    warmThread.start();
  }

  private void warm() {
    try {
      layers.warm(() -> closed || writer.failure() != null);
    } catch (IOException e) {
      log.info("{}: layers stay in the object store, none is fetched: {}", name, e.toString());
    } catch (RuntimeException | Error e) {
      // Reads fetch what they need themselves, and meet the same.
      log.error("{}: layers stay in the object store, none is fetched", name, e);
    }
  }

  /** The open layer is frozen and published at once, whatever its age. */
  void flushNow() {
    flushNow = true;
    signal();
  }

  /**
   * Publishes what was received until now, and waits for it; merges wait meanwhile.
   *
   * @throws PageserverException.Unavailable when it took longer than {@code timeout}
   */
  void publishNow(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    long lsn = writer.receivedLsn();
    compaction.pause(true);
    try {
      flushNow();
      while (Long.compareUnsigned(layers.manifest().publishedLsn(), lsn) < 0) {
        requireWorking(deadline, timeout);
        poll();
      }
    } finally {
      compaction.pause(false);
    }
  }

  private void requireWorking(long deadlineNanos, Duration timeout) {
    PageserverException failure = writer.failure();
    if (failure != null) {
      throw failure;
    }
    if (closed || System.nanoTime() - deadlineNanos > 0) {
      String waiting = layers.failureText();
      throw new PageserverException.Unavailable(
          name
              + ": cannot publish what was received"
              + (waiting.isEmpty() ? " in " + timeout.toSeconds() + " s" : ": " + waiting),
          null);
    }
  }

  private static void poll() {
    try {
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PageserverException.Unavailable("interrupted", e);
    }
  }

  private void signal() {
    lock.lock();
    try {
      work.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void loop(String what, Round round) {
    Duration retry = FIRST_RETRY;
    while (!closed && writer.failure() == null) {
      try {
        boolean done = round.run();
        if (!retry.equals(FIRST_RETRY)) {
          log.info("{}: {} works again", name, what);
          retry = FIRST_RETRY;
          layers.failures().over(what);
        }
        if (done) {
          signal();
          writer.signalRoom();
        } else {
          await(IDLE);
        }
      } catch (IOException | PageserverException.Unavailable e) {
        if (retry.equals(FIRST_RETRY) && !closed) {
          log.warn("{}: {} failed and is tried again: {}", name, what, e.toString());
        }
        layers.failures().failed(what, e);
        await(retry);
        retry = retry.multipliedBy(2);
        if (retry.compareTo(LONGEST_RETRY) > 0) {
          retry = LONGEST_RETRY;
        }
      } catch (PageserverException.Fenced e) {
        log.info("{}: stopped {}: {}", name, what, e.getMessage());
        writer.fail(e);
      } catch (PageserverException e) {
        writer.fail(e);
        if (!closed) {
          log.error("{}: stopped while {}: {}", name, what, e.getMessage(), e);
        }
      } catch (RuntimeException | Error e) {
        writer.fail(new PageserverException.Corrupt(name + ": " + what + ": " + e, e));
        log.error("{}: stopped while {}", name, what, e);
      }
    }
  }

  /** Waits for a signal, at most so long; waking up early does no harm. */
  @SuppressWarnings("WaitNotInLoop")
  private void await(Duration time) {
    lock.lock();
    try {
      if (!closed) {
        work.awaitNanos(time.toNanos());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      closed = true;
    } finally {
      lock.unlock();
    }
  }

  /** Makes a file of the oldest frozen layer. */
  private boolean writeOne() throws IOException {
    boolean now = flushNow;
    if (writer.freezeIfOld(now) && now) {
      flushNow = false;
    }
    List<OpenLayer> frozen = layers.map().frozen();
    if (frozen.isEmpty()) {
      return false;
    }
    OpenLayer oldest = frozen.getLast();
    layers.fileWritten(oldest, write(oldest));
    return true;
  }

  private LayerFile write(OpenLayer layer) throws IOException {
    Chain chain = new Chain();
    try (DeltaRun out = new DeltaRun(layers, 0, layer.startLsn(), layer.endLsn(), Long.MAX_VALUE)) {
      for (long key : layer.sortedKeys()) {
        chain.clear();
        layer.collectAll(key, chain);
        bounder.begin(key, layer.startLsn(), layers.consistentLsn());
        for (int i = chain.size() - 1; i >= 0; i--) {
          bounder.beforeLsn(chain.lsn(i), out);
          out.add(
              key, chain.lsn(i), chain.kind(i), chain.bytes(i), chain.offset(i), chain.length(i));
          bounder.added(
              chain.kind(i), chain.lsn(i), chain.bytes(i), chain.offset(i), chain.length(i));
        }
        bounder.end(out);
      }
      for (int i = 0; i < layer.recordCount(); i++) {
        out.addBoundary(layer.boundary(i));
      }
      return out.finish().getFirst();
    }
  }

  private boolean publish() throws IOException {
    boolean published = layers.publish();
    layers.audit();
    return compaction.runOnce() || published;
  }

  void close() {
    closed = true;
    compaction.pause(true);
    layers.stopCommitting();
    storeCalls.expire();
    signal();
    for (Thread thread : List.of(fileThread, publishThread, warmThread)) {
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
}
