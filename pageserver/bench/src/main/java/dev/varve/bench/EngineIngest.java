package dev.varve.bench;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What the engine needs for the same WAL.
 *
 * @param received until everything was received and could be read
 * @param published until everything was written, compacted and in the object store
 * @param redo of making every page of the user's relations as of the end, behind that
 * @param pages how many those were
 */
record EngineIngest(Cost received, Cost published, Cost redo, long pages) {
  private static final int CHUNK = 128 << 10;
  private static final int RUN = 64;
  private static final int POSTGRES_DATABASE = 5;
  private static final int FIRST_NORMAL_OID = 16384;
  private static final EngineOptions IN_MEMORY =
      EngineOptions.defaults().withOpenLayer(8L << 30, Duration.ofDays(1));

  /** As a pageserver runs: layers to files, files to a directory as object store. */
  static EngineIngest published(RecordedLoad load) throws Exception {
    return run(load, EngineOptions.defaults(), true, null);
  }

  /** All in memory, nothing published: decoding, ingest and redo alone. */
  static EngineIngest inMemory(RecordedLoad load) throws Exception {
    return run(load, IN_MEMORY, false, null);
  }

  /** The same, and checks that every page is what replay has made of it in {@code expected}. */
  static EngineIngest inMemory(RecordedLoad load, ReplayedPages expected) throws Exception {
    return run(load, IN_MEMORY, false, expected);
  }

  private static EngineIngest run(
      RecordedLoad load, EngineOptions options, boolean publish, @Nullable ReplayedPages expected)
      throws Exception {
    Path directory = Files.createTempDirectory("varve-ingest");
    try (Tenants tenants =
        new Tenants(
            new LocalObjectStore(directory.resolve("objects")),
            directory.resolve("cache"),
            options,
            System::nanoTime)) {
      Timeline timeline = tenants.attach(new TimelineName("bench", "main"), 0);
      importBackup(load, timeline);
      System.gc();
      Cost start = Cost.now();
      receive(load, timeline);
      Cost received = Cost.now();
      if (publish) {
        publish(timeline);
      }
      Cost published = Cost.now();
      long pages = materialise(timeline, null);
      Cost redo = Cost.now().since(published);
      if (expected != null) {
        materialise(timeline, expected);
      }
      return new EngineIngest(received.since(start), published.since(start), redo, pages);
    } finally {
      PostgresServer.deleteTree(directory);
    }
  }

  /** Hands over all of the WAL, in pieces as they come over a network. */
  static void receive(RecordedLoad load, Timeline timeline) throws InterruptedException {
    int first = (int) (load.startLsn() - load.segmentLsn());
    for (int at = first; at < load.wal().length; at += CHUNK) {
      timeline.receive(
          load.segmentLsn() + at, load.wal(), at, Math.min(CHUNK, load.wal().length - at));
    }
  }

  /** Waits until all that was received is published. */
  static void publish(Timeline timeline) throws InterruptedException {
    timeline.flush();
    while (timeline.publishedLsn() < timeline.receivedLsn()) {
      Thread.sleep(1);
    }
  }

  static void importBackup(RecordedLoad load, Timeline timeline) throws IOException {
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

  /**
   * Makes every page of the database's user relations as of the end, and checks them when {@code
   * expected} is there.
   */
  private static long materialise(Timeline timeline, @Nullable ReplayedPages expected) {
    long lsn = timeline.receivedLsn();
    byte[] target = new byte[RUN * Page.SIZE];
    long pages = 0;
    for (RelationEntry relation :
        timeline.listRelations(RelFileLocator.DEFAULT_TABLESPACE, POSTGRES_DATABASE, lsn)) {
      if (relation.relationNumber() < FIRST_NORMAL_OID) {
        continue;
      }
      RelFileLocator locator =
          new RelFileLocator(
              RelFileLocator.DEFAULT_TABLESPACE, POSTGRES_DATABASE, relation.relationNumber());
      for (int block = 0; block < relation.blocks(); block += RUN) {
        int count = Math.min(RUN, relation.blocks() - block);
        timeline.readPages(locator, relation.fork(), block, count, lsn, target);
        pages += count;
        if (expected != null) {
          for (int i = 0; i < count; i++) {
            check(
                locator,
                relation.fork(),
                block + i,
                Arrays.copyOfRange(target, i * Page.SIZE, (i + 1) * Page.SIZE),
                expected);
          }
        }
      }
    }
    return pages;
  }

  private static void check(
      RelFileLocator relation, int fork, int block, byte[] page, ReplayedPages expected) {
    byte[] other =
        expected.page(
            relation.tablespaceOid(),
            relation.databaseOid(),
            relation.relationNumber(),
            fork,
            block);
    int at = Arrays.mismatch(page, other);
    if (at >= 0) {
      throw new IllegalStateException(
          "block %d of fork %d of %s differs at byte %d from what replay makes"
              .formatted(block, fork, relation, at));
    }
  }
}
