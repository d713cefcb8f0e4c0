package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A standby as the source: its base backup ends without a record that says so, its slot starts at a
 * restartpoint, and it lags, is refused by what its primary does, and is promoted.
 */
final class StandbySourceIT {
  @TempDir Path directory;
  private final MemoryObjectStore store = new MemoryObjectStore();

  private interface Scenario {
    void run(PostgresServer primary, PostgresServer standby) throws Exception;
  }

  /** A primary and a standby of it, both started. */
  private static void withStandby(int major, Scenario scenario) throws Exception {
    try (PostgresServer primary =
        PostgresServer.builder(major)
            .checksums(true)
            .setting("autovacuum", "off")
            .setting("wal_keep_size", "256MB") // the standby has no slot
            .create()) {
      Path home = PostgresServer.temporaryDirectory();
      Path data = home.resolve("standby");
      SynchronousStandbyIT.copyTree(primary.dataDirectory(), data);
      PostgresServer.own(Files.createFile(data.resolve("standby.signal")));
      primary.start();
      try (PostgresServer standby =
          PostgresServer.builder(major)
              .setting("primary_conninfo", "host=127.0.0.1 user=postgres port=" + primary.port())
              .on(data)) {
        standby.start();
        scenario.run(primary, standby);
      } finally {
        PostgresServer.deleteTree(home);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {15, 18})
  void isFollowed(int major) throws Exception {
    withStandby(major, this::follow);
  }

  private void follow(PostgresServer primary, PostgresServer standby) throws Exception {
    load(primary, "before");
    awaitReplay(primary, standby);
    try (TestPageserver pageserver = start()) {
      pageserver.attach("main", TestPageserver.primary(standby.port()));
      pageserver.await("main", "active", StandbySourceIT::readable);
      load(primary, "behind");
      assertSame(pageserver, primary);
    }
    // A standby that crashed: it has to catch up itself.
    standby.stopImmediately();
    load(primary, "away");
    standby.start();
    awaitReplay(primary, standby);
    try (TestPageserver pageserver = start()) {
      assertSame(pageserver, primary);
      assertTrue(
          Long.parseLong(
                  standby.query("postgres", "select restart_lsn - '0/0' from pg_replication_slots"))
              > 0);

      ExpectedLog.containing("test/main: ");
      standby.execute("postgres", "select pg_promote()");
      TimelineStatus promoted =
          pageserver.await(
              "main",
              "failing",
              s ->
                  s.getState() == TimelineState.TIMELINE_STATE_SOURCE_FAILING
                      && s.getProblem().contains("a promotion cannot be followed"));
      new ServedPages(pageserver.channel(), "test/main")
          .assertSame(primary, "away", 0, promoted.getReceivedLsn());
      pageserver.detach("main", true);
    }
  }

  private TestPageserver start() throws Exception {
    return TestPageserver.start(
        directory, store, EngineOptions.defaults().withOpenLayer(8 << 20, Duration.ofMillis(300)));
  }

  private static boolean readable(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE
        && status.getReadableFromLsn() != 0;
  }

  private static void load(PostgresServer primary, String table) throws SQLException {
    primary.execute(
        "postgres",
        "create table " + table + "(a int, b text)",
        "insert into " + table + " select i, md5(i::text) from generate_series(1, 20000) i",
        "checkpoint");
  }

  private static void awaitReplay(PostgresServer primary, PostgresServer standby)
      throws SQLException {
    String end = primary.currentLsn();
    standby.await(
        "select pg_last_wal_replay_lsn() >= '" + end + "'", "the standby replays until " + end);
  }

  private static void assertSame(TestPageserver pageserver, PostgresServer primary)
      throws Exception {
    String tables =
        primary.query(
            "postgres",
            "select string_agg(relname, ' ') from pg_class where relkind = 'r'"
                + " and relnamespace = 'public'::regnamespace");
    for (String table : tables.split(" ", -1)) {
      primary.execute("postgres", "vacuum (freeze) " + table);
    }
    primary.execute("postgres", "checkpoint");
    long end =
        Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
    pageserver.await(
        "main", "caught up", s -> s.getReceivedLsn() >= end && s.getProblem().isEmpty());
    ServedPages pages = new ServedPages(pageserver.channel(), "test/main");
    for (String table : tables.split(" ", -1)) {
      assertTrue(pages.assertSame(primary, table, 0, end) > 100);
    }
  }

  /**
   * A slot that is younger than the standby's last restartpoint: the copy waits for the next one.
   * Meanwhile nobody else gets the slot of a timeline.
   */
  @Test
  void waitsForRestartpointBehindItsSlot() throws Exception {
    withStandby(
        17,
        (primary, standby) -> {
          try (TestPageserver pageserver = start()) {
            primary.execute("postgres", "create table t(a int)", "checkpoint");
            awaitReplay(primary, standby);
            standby.execute("postgres", "checkpoint");
            primary.execute("postgres", "insert into t select generate_series(1, 40000)");
            awaitReplay(primary, standby);
            standby.execute(
                "postgres",
                "select pg_create_physical_replication_slot('varve_main', true)",
                "select pg_replication_slot_advance('varve_main', pg_last_wal_replay_lsn())");
            ExpectedLog.containing("test/main: ");
            pageserver.attach("main", TestPageserver.primary(standby.port()));
            pageserver.await(
                "main", "waiting", s -> s.getProblem().contains("wait for the standby's next"));
            StatusRuntimeException shared =
                assertThrows(
                    StatusRuntimeException.class,
                    () ->
                        pageserver.attach(
                            "other", TestPageserver.primary(standby.port()).setSlot("varve_main")));
            assertEquals(Status.Code.INVALID_ARGUMENT, shared.getStatus().getCode());
            assertTrue(
                String.valueOf(shared.getStatus().getDescription())
                    .contains("is the one of test/main"),
                shared::toString);
            load(primary, "u");
            awaitReplay(primary, standby);
            standby.execute("postgres", "checkpoint");
            pageserver.await("main", "active", StandbySourceIT::readable);
            assertSame(pageserver, primary);
            pageserver.detach("main", true);
          }
        });
  }

  /** Refused before anything is copied, and followed when the reason is gone. */
  @Test
  void isRefusedWhileItsPrimaryWritesNoFullPages() throws Exception {
    withStandby(
        17,
        (primary, standby) -> {
          try (TestPageserver pageserver = start()) {
            primary.execute("postgres", "alter system set full_page_writes = off");
            primary.execute("postgres", "select pg_reload_conf()");
            load(primary, "t");
            awaitReplay(primary, standby);
            ExpectedLog.containing("test/main: ");
            pageserver.attach("main", TestPageserver.primary(standby.port()));
            TimelineStatus refused =
                pageserver.await(
                    "main",
                    "refused",
                    s -> s.getProblem().contains("its primary has full_page_writes = on"));
            assertEquals(0, refused.getCopiedBytes());
            primary.execute("postgres", "alter system reset full_page_writes");
            primary.execute("postgres", "select pg_reload_conf()");
            load(primary, "u");
            awaitReplay(primary, standby);
            standby.execute("postgres", "checkpoint");
            pageserver.await("main", "active", StandbySourceIT::readable);
            assertSame(pageserver, primary);
            pageserver.detach("main", true);
          }
        });
  }
}
