package dev.varve.bench;

import com.sun.management.OperatingSystemMXBean;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestSections;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineLocation;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * What many timelines cost one pageserver: how long it takes until 20 and until 200 that another
 * one had are served here, with an object store that is some way off and nothing on the local disk;
 * and what a thousand take of processor, memory and threads while nothing happens to them.
 *
 * <p>All are of one cluster: their manifests list the same layers.
 */
public final class TimelinesBench {
  private static final String TENANT = "bench";
  private static final int POSTGRES_DATABASE = 5;
  private static final int[] FAILED_OVER = {20, 200};

  private final ObjectStore store;
  private final Path home;

  private TimelinesBench(ObjectStore store, Path home) {
    this.store = store;
    this.home = home;
  }

  /**
   * Options: {@code --timelines} that are idle, {@code --seconds} that they are looked at, {@code
   * --latency} of the object store in milliseconds, {@code --rounds} of failing over.
   */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int idle = arguments.get("timelines", 1000);
    int seconds = arguments.get("seconds", 60);
    int latency = arguments.get("latency", 20);
    int rounds = arguments.get("rounds", 3);
    arguments.done();
    Path home = PostgresServer.temporaryDirectory();
    try {
      TimelinesBench bench =
          new TimelinesBench(new LocalObjectStore(home.resolve("objects")), home);
      bench.makeTimelines(Math.max(idle, FAILED_OVER[FAILED_OVER.length - 1]));
      for (int count : FAILED_OVER) {
        bench.failOver(count, latency, rounds);
      }
      bench.idle(idle, seconds);
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private static TimelineName name(int number) {
    return new TimelineName(TENANT, "t" + number);
  }

  /** One that a cluster is imported into, and others whose manifests list its layers. */
  private void makeTimelines(int count) throws Exception {
    RecordedLoad load =
        RecordedLoad.record(Workload.TRANSACTIONS, 1, 1_000_000, false, home.resolve("backup"));
    try (Tenants tenants = tenants(store, "first", EngineOptions.defaults())) {
      Timeline timeline = tenants.attach(name(0), 0);
      EngineIngest.importBackup(load, timeline);
      EngineIngest.receive(load, timeline);
      EngineIngest.publish(timeline);
      tenants.detach(name(0));
      Manifest first = new ManifestStore(store, prefix(tenants, name(0)), 1).load();
      for (int i = 1; i < count; i++) {
        ManifestStore manifests = new ManifestStore(store, prefix(tenants, name(i)), i);
        Manifest claimed = manifests.claim(0);
        manifests.commit(
            new Manifest(
                claimed.number() + 1,
                claimed.generation(),
                claimed.owner(),
                first.majorOrNull(),
                first.systemIdentifier(),
                first.walSegmentBytes(),
                first.startLsn(),
                first.readableFromLsn(),
                first.publishedLsn(),
                first.lastRecordLsn(),
                claimed.nextSequence(),
                first.list(),
                ManifestSections.NONE));
      }
      System.out.printf(
          Locale.ROOT,
          "%,d timelines of %d layers, %.1f MB%n",
          count,
          first.layers().size(),
          first.layers().stream().mapToLong(layer -> layer.fileBytes()).sum() / 1e6);
    }
  }

  private static String prefix(Tenants tenants, TimelineName name) {
    TimelineId id = tenants.claimName(name, null);
    return TimelineLocation.whole(TENANT, id).objectPrefix();
  }

  private Tenants tenants(ObjectStore objects, String directory, EngineOptions options) {
    return new Tenants(objects, home.resolve(directory), options, System::nanoTime);
  }

  /** Attaches so many at once, each of which then answers with a page. */
  private void failOver(int count, int latency, int rounds) throws Exception {
    List<Cost> costs = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      Path cache = home.resolve("cache");
      try (Tenants tenants =
          tenants(new DistantStore(store, latency), "cache", EngineOptions.defaults())) {
        Cost start = Cost.now();
        attach(tenants, count);
        costs.add(Cost.now().since(start));
      } finally {
        PostgresServer.deleteTree(cache);
      }
    }
    Cost median = Cost.median(costs);
    System.out.printf(
        Locale.ROOT,
        "%d timelines fail over, requests of %d ms: %.2f s until all have answered, cpu %.2f s%n",
        count,
        latency,
        median.seconds(),
        median.cpuSeconds());
  }

  private static void attach(Tenants tenants, int count) throws Exception {
    try (ExecutorService attaching = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> answers = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        TimelineName name = name(i);
        answers.add(
            attaching.submit(() -> {
              readPage(tenants.attach(name, 0));
            }));
      }
      for (Future<?> answer : answers) {
        answer.get();
      }
    }
  }

  private static void readPage(Timeline timeline) {
    long lsn = timeline.receivedLsn();
    RelationEntry relation =
        timeline.listRelations(RelFileLocator.DEFAULT_TABLESPACE, POSTGRES_DATABASE, lsn).stream()
            .filter(entry -> entry.blocks() > 0)
            .findFirst()
            .orElseThrow();
    timeline.readPages(
        new RelFileLocator(
            RelFileLocator.DEFAULT_TABLESPACE, POSTGRES_DATABASE, relation.relationNumber()),
        relation.fork(),
        0,
        1,
        lsn,
        new byte[Page.SIZE]);
  }

  private void idle(int count, int seconds) throws Exception {
    EngineOptions some = EngineOptions.defaults();
    EngineOptions nothingLocal =
        new EngineOptions(
            some.openLayerBytes(),
            some.openLayerAge(),
            some.frozenLayers(),
            some.layerMemoryBytes(),
            some.unpublishedBytes(),
            1,
            some.pageCacheBytes(),
            some.blockCacheBytes(),
            some.imageAfterRecords(),
            some.compactAfterLayers(),
            some.targetLayerBytes());
    try (Tenants tenants = tenants(store, "idle", nothingLocal)) {
      attach(tenants, 1); // classes and caches
      long heap = heap();
      int threads = ManagementFactory.getThreadMXBean().getThreadCount();
      for (int i = 1; i < count; i++) {
        readPage(tenants.attach(name(i), 0));
      }
      awaitIdle();
      double used = (heap() - heap) / 1e3 / (count - 1);
      long cpu = cpuNanos();
      TimeUnit.SECONDS.sleep(seconds);
      System.out.printf(
          Locale.ROOT,
          "%,d idle timelines: %.2f %% of a core, %.0f kB of heap each, %d threads more%n",
          count,
          (cpuNanos() - cpu) / 1e7 / seconds,
          used,
          ManagementFactory.getThreadMXBean().getThreadCount() - threads);
    }
  }

  private static long cpuNanos() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
  }

  private static long heap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  /** Until what an attachment begins is over: sweeps come a minute after it. */
  private static void awaitIdle() throws InterruptedException {
    TimeUnit.SECONDS.sleep(90);
  }

  /** Answers after a while. */
  private static final class DistantStore extends ForwardingObjectStore {
    private final int millis;

    DistantStore(ObjectStore inner, int millis) {
      super(inner);
      this.millis = millis;
    }

    private void travel() throws IOException {
      try {
        Thread.sleep(millis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException(e);
      }
    }

    @Override
    public byte[] get(String name) throws IOException {
      travel();
      return super.get(name);
    }

    @Override
    public byte[] getRange(String name, long offset, int length) throws IOException {
      travel();
      return super.getRange(name, offset, length);
    }

    @Override
    public void put(String name, byte[] bytes) throws IOException {
      travel();
      super.put(name, bytes);
    }

    @Override
    public void putFile(String name, Path file) throws IOException {
      travel();
      super.putFile(name, file);
    }

    @Override
    public void create(String name, byte[] bytes) throws IOException {
      travel();
      super.create(name, bytes);
    }

    @Override
    public List<ObjectEntry> list(String prefix) throws IOException {
      travel();
      return super.list(prefix);
    }

    @Override
    public List<ObjectEntry> list(String prefix, String after) throws IOException {
      travel();
      return super.list(prefix, after);
    }

    @Override
    public void delete(String name) throws IOException {
      travel();
      super.delete(name);
    }
  }
}
