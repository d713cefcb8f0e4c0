package dev.varve.bench;

import com.sun.management.OperatingSystemMXBean;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.timeline.BaseBackupImport;
import dev.varve.engine.timeline.EngineOptions;
import dev.varve.engine.timeline.RelationEntry;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;

/**
 * What the engine needs for the same WAL. CPU time is that of the whole process, the JIT compiler's
 * and the garbage collector's included.
 *
 * @param seconds until everything was received and could be read
 * @param cpuSeconds until then
 * @param publishedSeconds until everything was written, compacted and in the object store
 * @param publishedCpuSeconds until then
 * @param redoCpuSeconds of making every page of the user's relations as of the end
 * @param redoSeconds the same, time passed
 * @param pages how many those were
 */
record EngineIngest(
    double seconds,
    double cpuSeconds,
    double publishedSeconds,
    double publishedCpuSeconds,
    double redoSeconds,
    double redoCpuSeconds,
    long pages) {
  private static final int CHUNK = 128 << 10;
  private static final int RUN = 64;
  private static final int DEFAULT_TABLESPACE = 1663;
  private static final int POSTGRES_DATABASE = 5;
  private static final int FIRST_NORMAL_OID = 16384;

  /** As a pageserver runs: layers to files, files to a directory as object store. */
  static EngineIngest published(RecordedLoad load) throws Exception {
    return run(load, EngineOptions.defaults(), true);
  }

  /** All in memory, nothing published: decoding, ingest and redo alone. */
  static EngineIngest inMemory(RecordedLoad load) throws Exception {
    return run(load, EngineOptions.defaults().withOpenLayer(8L << 30, Duration.ofDays(1)), false);
  }

  private static EngineIngest run(RecordedLoad load, EngineOptions options, boolean publish)
      throws Exception {
    Path directory = Files.createTempDirectory("varve-ingest");
    try (Tenants tenants =
        new Tenants(
            new LocalObjectStore(directory.resolve("objects")),
            directory.resolve("cache"),
            options,
            System::nanoTime)) {
      Timeline timeline = tenants.attach(new TimelineId("bench", "main"), 0);
      importBackup(load, timeline);
      System.gc();
      long start = System.nanoTime();
      double startCpu = processCpuSeconds();
      int first = (int) (load.startLsn() - load.segmentLsn());
      for (int at = first; at < load.wal().length; at += CHUNK) {
        timeline.receive(
            load.segmentLsn() + at, load.wal(), at, Math.min(CHUNK, load.wal().length - at));
      }
      long received = System.nanoTime();
      double receivedCpu = processCpuSeconds();
      if (publish) {
        timeline.flush();
        while (timeline.publishedLsn() < timeline.receivedLsn()) {
          Thread.sleep(1);
        }
      }
      long published = System.nanoTime();
      double publishedCpu = processCpuSeconds();
      long pages = materialise(timeline);
      return new EngineIngest(
          (received - start) / 1e9,
          receivedCpu - startCpu,
          (published - start) / 1e9,
          publishedCpu - startCpu,
          (System.nanoTime() - published) / 1e9,
          processCpuSeconds() - publishedCpu,
          pages);
    } finally {
      PostgresServer.deleteTree(directory);
    }
  }

  private static void importBackup(RecordedLoad load, Timeline timeline) throws IOException {
    try (BaseBackupImport backup = timeline.beginImport(load.identity(), load.startLsn());
        Stream<Path> files = Files.walk(load.backup())) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
          backup.file(load.backup().relativize(file).toString(), Files.size(file), in);
        }
      }
      backup.finish();
    }
  }

  /** Makes every page of the database's user relations as of the end. */
  private static long materialise(Timeline timeline) {
    long lsn = timeline.receivedLsn();
    byte[] target = new byte[RUN * Page.SIZE];
    long pages = 0;
    for (RelationEntry relation :
        timeline.listRelations(DEFAULT_TABLESPACE, POSTGRES_DATABASE, lsn)) {
      if (relation.relationNumber() < FIRST_NORMAL_OID) {
        continue;
      }
      RelFileLocator locator =
          new RelFileLocator(DEFAULT_TABLESPACE, POSTGRES_DATABASE, relation.relationNumber());
      for (int block = 0; block < relation.blocks(); block += RUN) {
        int count = Math.min(RUN, relation.blocks() - block);
        timeline.readPages(locator, relation.fork(), block, count, lsn, target, 0);
        pages += count;
      }
    }
    return pages;
  }

  static double processCpuSeconds() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime()
        / 1e9;
  }
}
