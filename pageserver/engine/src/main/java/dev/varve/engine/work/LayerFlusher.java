package dev.varve.engine.work;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings what was frozen to disk and from there to the object store, on threads of its own: the
 * <em>writer</em> makes a layer file of each frozen layer, so that memory is free again however
 * slow the object store is; the <em>publisher</em> uploads the files and commits a manifest that
 * lists them, and does nothing else, since the primary's slot waits for it; <em>upkeep</em> merges
 * what has become many, removes what no manifest lists, and audits the object store, in turn. A
 * last one, the <em>warmer</em>, fetches the newest layers of a timeline that was attached, and
 * ends. What disk or store refuse is tried again until it is over: WAL waits at its bounds in the
 * meantime and nothing is lost.
 */
public final class LayerFlusher {
  private static final Logger log = LoggerFactory.getLogger(LayerFlusher.class);
  private static final long IDLE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final long POLL_MILLIS = 5;

  /** How often what depends on the time alone is looked at. */
  private static final long UPKEEP_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final String name;
  private final TimelineLayers layers;
  private final TimelineWriter writer;
  private final ChainBounder bounder;
  private final Compaction compaction;
  private final StepThread files;
  private final StepThread publisher;
  private final StepThread upkeep;
  private final Thread warmer;

  /** Ends the threads' calls of the object store, which may wait for long, when they are to end. */
  private final StoreDeadline storeCalls = StoreDeadline.detached();

  private volatile boolean flushNow;
  private volatile boolean closed;

  /** A step that has no state of its own. */
  private record Work(String name, Unit unit) implements Step {
    interface Unit {
      long run() throws IOException;
    }

    @Override
    public long run() throws IOException {
      return unit.run();
    }
  }

  public LayerFlusher(
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
    files = thread("layers", List.of(new Work("writing a layer", this::writeOne)));
    publisher = thread("publish", List.of(new Work("publishing", this::publish)));
    upkeep =
        thread(
            "upkeep",
            List.of(
                new Work("removing objects", this::remove),
                new Work("auditing", this::audit),
                compaction));
    warmer = new Thread(() -> storeCalls.run(this::warm), "warm " + name);
    warmer.setDaemon(true);
  }

  private StepThread thread(String role, List<Step> steps) {
    return new StepThread(role, name, steps, writer, layers.failures(), storeCalls);
  }

  public void start() {
    files.start();
    publisher.start();
    upkeep.start();
    warmer.start();
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
  public void flushNow() {
    flushNow = true;
    files.urge();
    publisher.urge();
  }

  /**
   * Publishes what was received until now, and waits for it; merges leave it the bandwidth.
   *
   * @throws PageserverException.Unavailable when it took longer than {@code timeout}
   */
  public void publishNow(Duration timeout) {
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
      upkeep.signal();
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

  /** Makes a file of the oldest frozen layer. */
  private long writeOne() throws IOException {
    boolean now = flushNow;
    if (writer.freezeIfOld(now) && now) {
      flushNow = false;
    }
    List<OpenLayer> frozen = layers.map().frozen();
    if (frozen.isEmpty()) {
      return IDLE_NANOS;
    }
    write(frozen.getLast());
    writer.signalRoom();
    publisher.signal();
    return 0;
  }

  private void write(OpenLayer layer) throws IOException {
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
      layers.fileWritten(layer, out.finish().getFirst());
      out.keep();
    }
  }

  private long publish() throws IOException {
    if (!layers.publish()) {
      return IDLE_NANOS;
    }
    writer.signalRoom();
    upkeep.signal();
    return 0;
  }

  private long remove() {
    return layers.removeUnwanted() ? 0 : UPKEEP_NANOS;
  }

  private long audit() {
    layers.audit();
    layers.compactManifest();
    return UPKEEP_NANOS;
  }

  public void close() {
    closed = true;
    List<StepThread> all = List.of(files, publisher, upkeep);
    all.forEach(StepThread::close);
    layers.stopCommitting();
    storeCalls.expire();
    all.forEach(StepThread::join);
    boolean interrupted = false;
    try {
      warmer.join(TimeUnit.SECONDS.toMillis(30));
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
