package dev.varve.bench;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What workloads cost in the object store, and how fast their WAL gets there: bytes that were
 * written and bytes that stay, over bytes of WAL. Stock PostgreSQL replays the same WAL in the same
 * run.
 */
public final class StorageBench {
  private static final TimelineName TIMELINE = new TimelineName("bench", "main");

  /** Merges are over when nothing was written for so long. */
  private static final long QUIET_MILLIS = 3000;

  private StorageBench() {}

  /**
   * Options: {@code --scale} of pgbench, {@code --megabytes} of WAL, {@code --rounds}, {@code
   * --full-pages 1} for WAL with full-page images.
   */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int scale = arguments.get("scale", 10);
    int megabytes = arguments.get("megabytes", 256);
    int rounds = arguments.get("rounds", 3);
    boolean fullPages = arguments.get("full-pages", 0) != 0;
    arguments.done();
    System.out.printf(
        "%-22s %8s %12s %12s %8s %15s %15s%n",
        "medians",
        "WAL MB",
        "stock MB/s",
        "published",
        "× time",
        "written per WAL",
        "kept per WAL");
    for (Workload workload : Workload.values()) {
      Path home = PostgresServer.temporaryDirectory();
      try {
        run(
            workload,
            RecordedLoad.record(
                workload, scale, megabytes * 1_000_000L, fullPages, home.resolve("backup")),
            rounds);
      } finally {
        PostgresServer.deleteTree(home);
      }
    }
  }

  private static void run(Workload workload, RecordedLoad load, int rounds) throws Exception {
    double bytes = load.wal().length - (load.startLsn() - load.segmentLsn());
    List<Cost> stock = new ArrayList<>();
    List<Stored> stored = new ArrayList<>();
    ingest(load); // the JVM's first time
    for (int round = 0; round < rounds; round++) {
      stock.add(StockReplay.run(load));
      stored.add(ingest(load));
    }
    double stockSeconds = Cost.median(stock).seconds();
    double seconds = Numbers.median(stored.stream().mapToDouble(Stored::seconds).toArray());
    System.out.printf(
        Locale.ROOT,
        "%-22s %8.0f %12.0f %12.0f %8.2f %15.2f %15.2f%n",
        workload,
        bytes / 1e6,
        bytes / 1e6 / stockSeconds,
        bytes / 1e6 / seconds,
        stockSeconds / seconds,
        Numbers.median(stored.stream().mapToDouble(Stored::written).toArray()) / bytes,
        Numbers.median(stored.stream().mapToDouble(Stored::kept).toArray()) / bytes);
  }

  /**
   * What one ingest took.
   *
   * @param seconds until all of it was published
   * @param written bytes that went to the object store because of it, merges included
   * @param kept bytes by which the object store has grown
   */
  private record Stored(double seconds, double written, double kept) {}

  private static Stored ingest(RecordedLoad load) throws Exception {
    Path directory = Files.createTempDirectory("varve-storage");
    CountedStore store = new CountedStore(new LocalObjectStore(directory.resolve("objects")));
    try (Tenants tenants =
        new Tenants(
            store, directory.resolve("cache"), EngineOptions.defaults(), System::nanoTime)) {
      Timeline timeline = tenants.attach(TIMELINE, 0);
      EngineIngest.importBackup(load, timeline);
      store.awaitQuiet();
      long writtenBefore = store.written.get();
      long keptBefore = store.kept();
      Cost start = Cost.now();
      EngineIngest.receive(load, timeline);
      EngineIngest.publish(timeline);
      double seconds = Cost.now().since(start).seconds();
      store.awaitQuiet();
      tenants.detach(TIMELINE); // removes what the last merges have replaced
      return new Stored(seconds, store.written.get() - writtenBefore, store.kept() - keptBefore);
    } finally {
      PostgresServer.deleteTree(directory);
    }
  }

  /** Counts the bytes that are written to it. */
  private static final class CountedStore extends ForwardingObjectStore {
    private final AtomicLong written = new AtomicLong();

    CountedStore(ObjectStore inner) {
      super(inner);
    }

    @Override
    public void put(String name, byte[] bytes) throws IOException {
      super.put(name, bytes);
      written.addAndGet(bytes.length);
    }

    @Override
    public void create(String name, byte[] bytes) throws IOException {
      super.create(name, bytes);
      written.addAndGet(bytes.length);
    }

    @Override
    public void putFile(String name, Path file) throws IOException {
      long bytes = Files.size(file);
      super.putFile(name, file);
      written.addAndGet(bytes);
    }

    long kept() throws IOException {
      return list("").stream().mapToLong(ObjectEntry::length).sum();
    }

    void awaitQuiet() throws InterruptedException {
      long before;
      do {
        before = written.get();
        Thread.sleep(QUIET_MILLIS);
      } while (written.get() != before);
    }
  }
}
