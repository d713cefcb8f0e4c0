package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A primary with a synchronous standby, and a pageserver that no commit may wait for nor be
 * released by, unless the user wants it to: its slot moves and its primary shuts down all the same.
 */
final class SynchronousStandbyIT {
  private static final String TIMELINE = "main";
  private static final String APPLICATION = "varve " + TestPageserver.TENANT + "/" + TIMELINE;

  /** Each names the pageserver, by its name or by all. */
  private static final List<String> NAMES =
      List.of("*", "ANY 1 (*)", "FIRST 1 (\"" + APPLICATION + "\", other)");

  private static PostgresServer primary;
  private static PostgresServer standby;

  @TempDir Path directory;
  private final MemoryObjectStore objects = new MemoryObjectStore();
  private final FaultyObjectStore store = new FaultyObjectStore(objects, 1, 0);
  private final ExecutorService client = Executors.newVirtualThreadPerTaskExecutor();
  private TestPageserver pageserver;

  @BeforeAll
  static void startServers() throws Exception {
    primary = PostgresServer.builder(17).setting("autovacuum", "off").create();
    Path copy = PostgresServer.temporaryDirectory().resolve("standby");
    copyTree(primary.dataDirectory(), copy);
    Files.createFile(copy.resolve("standby.signal"));
    PostgresServer.own(copy.resolve("standby.signal"));
    primary.start();
    primary.execute("postgres", "create table t(a int)");
    standby =
        PostgresServer.builder(17)
            .setting(
                "primary_conninfo",
                "host=127.0.0.1 user=postgres application_name=other port=" + primary.port())
            .on(copy);
    standby.start();
  }

  static void copyTree(Path from, Path to) throws Exception {
    assertEquals(
        0,
        new ProcessBuilder("cp", "-a", from.toString(), to.toString())
            .inheritIO()
            .start()
            .waitFor());
  }

  @AfterAll
  static void stopServers() {
    standby.close();
    primary.close();
    PostgresServer.deleteTree(standby.dataDirectory());
  }

  @AfterEach
  void detach() throws Exception {
    names("");
    if (pageserver != null) {
      store.setDown(false);
      pageserver.detach(TIMELINE, true);
      pageserver.close();
    }
    client.close();
  }

  private void attach(PrimarySource.Builder source) throws Exception {
    pageserver =
        TestPageserver.start(
            directory,
            store,
            EngineOptions.defaults().withOpenLayer(8 << 20, Duration.ofMillis(300)));
    pageserver.attach(TIMELINE, source);
    pageserver.await(
        TIMELINE,
        "active and published",
        s ->
            s.getState() == TimelineState.TIMELINE_STATE_ACTIVE
                && s.getReadableFromLsn() != 0
                && s.getPublishedLsn() >= s.getReadableFromLsn());
  }

  private static void names(String value) throws SQLException {
    primary.execute("postgres", "alter system set synchronous_standby_names = '" + value + "'");
    primary.execute("postgres", "select pg_reload_conf()");
  }

  private static long lsn(String query) throws SQLException {
    return Long.parseLong(primary.query("postgres", "select (" + query + ") - '0/0'"));
  }

  private static long slotLsn() throws SQLException {
    return lsn("select restart_lsn from pg_replication_slots where slot_name = 'varve_main'");
  }

  private static String syncState() throws SQLException {
    return primary.query(
        "postgres",
        "select coalesce(string_agg(sync_state, ','), 'none') from pg_stat_replication"
            + " where application_name = '"
            + APPLICATION
            + "'");
  }

  private Future<?> commit() {
    return client.submit(() -> {
      primary.execute("postgres", "insert into t values (1)");
      return null;
    });
  }

  /** What the pageserver is to the primary at every look, until its slot is at {@code lsn}. */
  private static void assertAsynchronousUntilSlotIsAt(long lsn) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (slotLsn() < lsn) {
      assertTrue(System.nanoTime() < deadline, "the slot does not move to " + lsn);
      String state = syncState();
      assertTrue(state.equals("async") || state.equals("none"), state);
    }
  }

  @Test
  void commitsWaitForTheirStandbyOnly() throws Exception {
    attach(TestPageserver.primary(primary.port()));
    for (String names : NAMES) {
      names(names);
      pageserver.await(TIMELINE, "named", TimelineStatus::getNamedSynchronous);
      commit().get(30, TimeUnit.SECONDS);
      assertNotReleasedByThePageserver(names);
    }
    names("*");
    ExpectedLog.containing("the store does not answer");
    store.setDown(true);
    for (int i = 0; i < 20; i++) {
      commit().get(30, TimeUnit.SECONDS);
    }
    // Neither does one wait for a pageserver that is gone.
    pageserver.leaveStoreUnchecked("it does not answer");
    pageserver.close();
    commit().get(30, TimeUnit.SECONDS);
    store.setDown(false);
    pageserver = TestPageserver.start(directory, store, EngineOptions.defaults());
    long end = lsn("pg_current_wal_flush_lsn()");
    pageserver.await(TIMELINE, "received", s -> s.getReceivedLsn() >= end);
  }

  /** A commit whose standby stands still waits, though the pageserver has it and its slot moved. */
  private void assertNotReleasedByThePageserver(String names) throws Exception {
    signalStandby("STOP");
    Future<?> waiting;
    try {
      waiting = commit();
      awaitSyncRepWait();
      long end = lsn("pg_current_wal_flush_lsn()");
      assertAsynchronousUntilSlotIsAt(end);
      assertFalse(waiting.isDone(), "released by the pageserver under " + names);
    } finally {
      signalStandby("CONT");
    }
    waiting.get(30, TimeUnit.SECONDS);
  }

  private static void awaitSyncRepWait() throws Exception {
    primary.await(
        "select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep'",
        "the commit waits for its standby");
  }

  private static void signalStandby(String signal) throws Exception {
    Path pidFile = standby.dataDirectory().resolve("postmaster.pid");
    String postmaster = Files.readAllLines(pidFile).getFirst();
    ProcessHandle server = ProcessHandle.of(Long.parseLong(postmaster)).orElseThrow();
    for (ProcessHandle process : server.descendants().toList()) {
      new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
    }
  }

  @Test
  void oneThatIsWantedSynchronousIs() throws Exception {
    attach(TestPageserver.primary(primary.port()).setSynchronous(true));
    names("FIRST 1 (\"" + APPLICATION + "\")");
    pageserver.await(TIMELINE, "sync", s -> isSync());
    commit().get(30, TimeUnit.SECONDS);
    long end = lsn("pg_current_wal_flush_lsn()");
    pageserver.await(TIMELINE, "received", s -> s.getReceivedLsn() >= end);
    ExpectedLog.containing("the store does not answer");
    store.setDown(true);
    Future<?> waiting = commit();
    awaitSyncRepWait();
    assertFalse(waiting.isDone());
    store.setDown(false);
    waiting.get(30, TimeUnit.SECONDS);
  }

  private static boolean isSync() {
    try {
      return syncState().equals("sync");
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  /** A primary leaves when its last record is published, or when nothing is published any more. */
  @Test
  void primaryShutsDown() throws Exception {
    ExpectedLog.containing(TestPageserver.TENANT + "/" + TIMELINE + ": ");
    attach(TestPageserver.primary(primary.port()));
    commit().get(30, TimeUnit.SECONDS);
    primary.stop();
    long shutdown = shutdownCheckPoint();
    TimelineStatus status = pageserver.status(TIMELINE);
    assertTrue(status.getPublishedLsn() > shutdown, shutdown + " is not published: " + status);
    primary.start();
    pageserver.await(TIMELINE, "active", s -> s.getProblem().isEmpty() && s.getLagBytes() == 0);

    ExpectedLog.containing("the store does not answer");
    store.setDown(true);
    primary.stop();
    shutdown = shutdownCheckPoint();
    status = pageserver.status(TIMELINE);
    assertTrue(status.getPublishedLsn() <= shutdown, "published without a store");
    primary.start();
    store.setDown(false);
    long end = lsn("pg_current_wal_flush_lsn()");
    pageserver.await(TIMELINE, "published", s -> s.getPublishedLsn() >= end);
  }

  /** Where the control file of the stopped primary has its shutdown checkpoint; it has one. */
  private static long shutdownCheckPoint() throws Exception {
    byte[] control =
        Files.readAllBytes(primary.dataDirectory().resolve("global").resolve("pg_control"));
    assertEquals(ControlFile.SHUT_DOWN, LittleEndian.i32(control, ControlFile.STATE));
    return LittleEndian.i64(control, ControlFile.CHECK_POINT);
  }
}
