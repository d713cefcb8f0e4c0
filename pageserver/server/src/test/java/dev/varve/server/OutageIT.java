package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.StoreFailureKind;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The object store does not answer, the local disk is full: WAL is taken in up to the bounds and
 * then waits at the primary; reads go on; what is wrong shows; and when it is over everything is
 * there.
 */
final class OutageIT {
  private static final int TRANSACTIONS = 10;
  private static final long BUDGET_BYTES = 1 << 20;
  private static final String TIMELINE = "main";

  private static PostgresServer primary;

  @TempDir Path directory;

  @BeforeAll
  static void startPrimary() {
    primary = PostgresServer.builder(17).checksums(true).setting("autovacuum", "off").start();
  }

  @AfterAll
  static void stopPrimary() {
    primary.close();
  }

  /** Layers of 1 MB, of which two may be unwritten, and 1 MB unpublished. */
  private static EngineOptions options() {
    EngineOptions defaults = EngineOptions.defaults();
    return new EngineOptions(
        1 << 20,
        Duration.ofMillis(200),
        defaults.frozenLayers(),
        defaults.layerMemoryBytes(),
        BUDGET_BYTES,
        defaults.localCacheBytes(),
        defaults.pageCacheBytes(),
        defaults.blockCacheBytes(),
        defaults.imageAfterRecords(),
        defaults.compactAfterLayers(),
        defaults.targetLayerBytes());
  }

  private static long lsn() throws SQLException {
    return Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
  }

  /** About 16 MB of WAL that does not compress well. */
  private static void load(String table) throws SQLException {
    primary.execute("postgres", "create table " + table + "(a int primary key, b text)");
    for (int i = 0; i < TRANSACTIONS; i++) {
      primary.execute(
          "postgres",
          "insert into "
              + table
              + " select i, md5(random()::text) || md5(random()::text) || md5(random()::text)"
              + " from generate_series("
              + (i * 6000 + 1)
              + ", "
              + (i + 1) * 6000
              + ") i");
    }
  }

  private static TestPageserver attach(TestPageserver pageserver) throws InterruptedException {
    pageserver.attach(TIMELINE, TestPageserver.primary(primary.port()));
    pageserver.await(
        TIMELINE,
        "active and published",
        s ->
            s.getState() == TimelineState.TIMELINE_STATE_ACTIVE
                && s.getReadableFromLsn() != 0
                && s.getPublishedLsn() >= s.getReadableFromLsn());
    return pageserver;
  }

  /** WAL came in, stopped coming in, and the status says why. */
  private static TimelineStatus awaitFull(TestPageserver pageserver, String problem)
      throws Exception {
    long end = lsn();
    TimelineStatus waiting =
        pageserver.await(TIMELINE, "failing", s -> s.getProblem().contains(problem));
    while (true) {
      TimeUnit.MILLISECONDS.sleep(500);
      TimelineStatus now = pageserver.status(TIMELINE);
      if (now.getReceivedLsn() == waiting.getReceivedLsn()) {
        break;
      }
      waiting = now;
    }
    assertEquals(TimelineState.TIMELINE_STATE_ACTIVE, waiting.getState());
    assertTrue(waiting.getReceivedLsn() < end, "nothing bounds what is taken in");
    assertTrue(waiting.getReceivedLsn() > waiting.getPublishedLsn(), "stopped at once");
    String kept =
        primary.query("postgres", "select restart_lsn - '0/0' from pg_replication_slots limit 1");
    assertTrue(Long.parseLong(kept) <= waiting.getPublishedLsn(), "the slot let go of WAL");
    return waiting;
  }

  /** One that nobody reads from would keep its buffers, and hold up a shutdown of the primary. */
  private static void awaitNoWalSender() throws Exception {
    primary.await("select count(*) = 0 from pg_stat_replication", "the WAL sender is let go of");
  }

  /** Everything that the primary has is there, and equal. */
  private static void assertNothingLost(TestPageserver pageserver, String... tables)
      throws Exception {
    for (String table : tables) {
      primary.execute("postgres", "vacuum (freeze) " + table);
    }
    primary.execute("postgres", "checkpoint");
    long lsn = lsn();
    pageserver.await(
        TIMELINE,
        "published",
        s -> s.getPublishedLsn() >= lsn && s.getProblem().isEmpty() && s.getLagBytes() == 0);
    ServedPages pages =
        new ServedPages(pageserver.channel(), TestPageserver.TENANT + "/" + TIMELINE);
    for (String table : tables) {
      assertTrue(pages.assertSame(primary, table, 0, lsn) > 300);
      assertTrue(pages.assertSame(primary, table, 2, lsn) > 0);
      assertTrue(pages.assertSame(primary, table + "_pkey", 0, lsn) > 80);
    }
  }

  @Test
  void objectStoreIsDown() throws Exception {
    MemoryObjectStore objects = new MemoryObjectStore();
    FaultyObjectStore store = new FaultyObjectStore(objects, 1, 0);
    ObjectStore retrying = new RetryingObjectStore(store, 3, Duration.ofMillis(1));
    ExpectedLog.containing("the store does not answer");
    try (TestPageserver pageserver = TestPageserver.start(directory, retrying, options())) {
      attach(pageserver);
      load("before");
      assertNothingLost(pageserver, "before");
      store.setDown(true);
      load("during");
      TimelineStatus full = awaitFull(pageserver, "the store does not answer");
      assertEquals(
          StoreFailureKind.STORE_FAILURE_KIND_UNREACHABLE, full.getStoreFailure().getKind());
      assertTrue(full.getStoreFailure().getSinceSeconds() > 0);
      new ServedPages(pageserver.channel(), TestPageserver.TENANT + "/" + TIMELINE)
          .assertSame(primary, "before", 0, full.getReceivedLsn());
      awaitNoWalSender();
      // Nobody streams: what the primary has is asked for, or not known, and never taken for 0.
      pageserver.await(TIMELINE, "known to lag", s -> !s.hasLagBytes() || s.getLagBytes() > 0);
      pageserver.await(TIMELINE, "lagging", s -> s.getLagBytes() > 0 && s.getLagSeconds() > 0);
      store.setDown(false);
      load("later");
      assertNothingLost(pageserver, "before", "during", "later");
      store.setDown(true);
      load("lost");
      awaitFull(pageserver, "the store does not answer");
      pageserver.leaveStoreUnchecked("it does not answer");
    }
    // What was not published is gone with the process, and comes again.
    store.setDown(false);
    PostgresServer.deleteTree(directory.resolve("layers"));
    try (TestPageserver pageserver = TestPageserver.start(directory, retrying, options())) {
      assertNothingLost(pageserver, "before", "during", "later", "lost");
      pageserver.detach(TIMELINE, true);
    }
    primary.execute("postgres", "drop table before, during, later, lost");
  }

  /** A bucket that was emptied, or another one: a timeline is not begun anew there. */
  @Test
  void objectStoreIsEmptied() throws Exception {
    MemoryObjectStore objects = new MemoryObjectStore();
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      attach(pageserver);
      load("kept");
      assertNothingLost(pageserver, "kept");
    }
    ExpectedLog.containing("the object store holds nothing of");
    MemoryObjectStore empty = new MemoryObjectStore();
    try (TestPageserver pageserver = TestPageserver.start(directory, empty, options())) {
      pageserver.await(
          TIMELINE, "failing", s -> s.getProblem().contains("the object store holds nothing of"));
      assertEquals(List.of(), empty.list(""));
    }
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      assertNothingLost(pageserver, "kept");
      pageserver.detach(TIMELINE, true);
    }
    primary.execute("postgres", "drop table kept");
  }

  private static void move(MemoryObjectStore from, MemoryObjectStore to, Predicate<String> wanted)
      throws IOException {
    for (ObjectEntry object : from.list("")) {
      if (wanted.test(object.name())) {
        to.put(object.name(), from.get(object.name()));
        from.delete(object.name());
      }
    }
  }

  /** Every number is free then, and creating the next manifest would tell nobody. */
  @Test
  void objectStoreIsEmptiedWhileItIsInUse() throws Exception {
    MemoryObjectStore objects = new MemoryObjectStore();
    MemoryObjectStore versions = new MemoryObjectStore();
    ExpectedLog.containing("the object store no longer holds");
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      attach(pageserver);
      load("early");
      assertNothingLost(pageserver, "early");
      move(objects, versions, name -> true);
      long emptied = lsn();
      load("late");
      TimelineStatus full = awaitFull(pageserver, "the object store no longer holds");
      assertTrue(full.getProblem().contains("bucket's versions"), full.getProblem());
      assertEquals(
          StoreFailureKind.STORE_FAILURE_KIND_OBJECTS_MISSING, full.getStoreFailure().getKind());
      assertTrue(full.getPublishedLsn() <= emptied, "published where nothing is");
      new ServedPages(pageserver.channel(), TestPageserver.TENANT + "/" + TIMELINE)
          .assertSame(primary, "early", 0, full.getReceivedLsn());
      // Of the base backup: it is not merged.
      String image =
          versions.list("").stream()
              .map(ObjectEntry::name)
              .filter(name -> name.contains("/layers/") && name.contains("-i"))
              .findFirst()
              .orElseThrow();
      move(versions, objects, name -> !name.equals(image));
      long end = lsn();
      pageserver.await(
          TIMELINE,
          "published, and known to lack a layer",
          s -> s.getPublishedLsn() >= end && s.getProblem().contains(image));
      move(versions, objects, name -> true);
      assertNothingLost(pageserver, "early", "late");
    }
    PostgresServer.deleteTree(directory.resolve("layers"));
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      assertNothingLost(pageserver, "early", "late");
      pageserver.detach(TIMELINE, true);
    }
    primary.execute("postgres", "drop table early, late");
  }

  /** Whoever counts generations attaches again after a restart, and says that it was there. */
  @Test
  void anEmptiedStoreIsNoNewTimelineForOneThatWasAttached() throws Exception {
    String timeline = "counted";
    MemoryObjectStore objects = new MemoryObjectStore();
    MemoryObjectStore versions = new MemoryObjectStore();
    PrimarySource.Builder source = TestPageserver.primary(primary.port()).setSlot("counted");
    ExpectedLog.containing("the object store no longer holds");
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      pageserver.attach(timeline, source, 1);
      TimelineStatus active =
          pageserver.await(
              timeline,
              "published",
              s -> s.getReadableFromLsn() != 0 && s.getPublishedLsn() >= s.getReadableFromLsn());
      move(objects, versions, name -> true);
      StatusRuntimeException refused =
          assertThrows(
              StatusRuntimeException.class, () -> pageserver.attachStored(timeline, source, 2));
      assertEquals(Status.Code.NOT_FOUND, refused.getStatus().getCode());
      assertEquals(1, pageserver.status(timeline).getGeneration(), "what serves is kept");
      assertEquals(active.getReadableFromLsn(), pageserver.status(timeline).getReadableFromLsn());
    }
    PostgresServer.deleteTree(directory.resolve("layers"));
    try (TestPageserver pageserver = TestPageserver.start(directory, objects, options())) {
      assertThrows(
          StatusRuntimeException.class, () -> pageserver.attachStored(timeline, source, 3));
      assertEquals(List.of(), objects.list("test/" + timeline + "/manifest/"));
      move(versions, objects, name -> true);
      pageserver.attachStored(timeline, source, 5);
      pageserver.await(timeline, "served", s -> s.getReadableFromLsn() != 0);
      pageserver.detach(timeline, true);
    }
  }

  @Test
  void localDiskIsFull() throws Exception {
    Path layers = Files.createDirectories(directory.resolve("layers"));
    assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=96m", "varve-test", layers.toString()),
        "a tmpfs cannot be mounted here: a full disk is not tested");
    try {
      ExpectedLog.containing("No space left on device");
      LocalObjectStore store =
          new LocalObjectStore(Files.createDirectories(directory.resolve("objects")));
      try (TestPageserver pageserver = TestPageserver.start(directory, store, options())) {
        attach(pageserver);
        load("roomy");
        try (Ballast _ = new Ballast(layers.resolve("ballast"))) {
          load("tight");
          awaitFull(pageserver, "No space left on device");
        }
        assertNothingLost(pageserver, "roomy", "tight");
        pageserver.detach(TIMELINE, true);
      }
      assertEquals(0, unfinished(layers), "files of failed attempts are left");
    } finally {
      run(
          "umount",
          "--lazy",
          layers.toString()); // mapped files keep it busy until they are collected
    }
    primary.execute("postgres", "drop table roomy, tight");
  }

  private static long unfinished(Path layers) throws IOException {
    try (var files = Files.walk(layers)) {
      return files.filter(f -> f.getFileName().toString().startsWith("writing-")).count();
    }
  }

  /** Takes all the room that there is, and what becomes free as layers are merged, until closed. */
  private static final class Ballast implements AutoCloseable {
    private final Path file;
    private final OutputStream out;
    private final Thread thread;
    private volatile boolean closed;

    Ballast(Path file) throws IOException {
      this.file = file;
      out = Files.newOutputStream(file);
      fill();
      thread = Thread.ofPlatform().name("ballast").start(this::keepFull);
    }

    private void keepFull() {
      try {
        while (!closed) {
          fill();
          TimeUnit.MILLISECONDS.sleep(5);
        }
      } catch (IOException | InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    private void fill() throws IOException {
      byte[] zeros = new byte[4096];
      try {
        while (!closed) {
          out.write(zeros);
        }
      } catch (IOException e) {
        if (!String.valueOf(e.getMessage()).contains("No space left")) {
          throw e;
        }
      }
    }

    @Override
    public void close() throws IOException {
      closed = true;
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      out.close();
      Files.delete(file);
    }
  }

  private static boolean run(String... command) throws IOException, InterruptedException {
    try {
      return new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
