package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.RetainedWalAction;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a timeline that does not take its WAL costs its primary: it shows, it is bounded by what the
 * user chose whatever the timeline is about, and nothing is left of it when it is detached.
 */
final class RetainedWalIT {
  private static final long LIMIT_BYTES = 4 << 20;

  private static PostgresServer primary;

  @TempDir Path directory;
  private final FaultyObjectStore store = new FaultyObjectStore(new MemoryObjectStore(), 1, 0);
  private TestPageserver pageserver;

  @BeforeAll
  static void startPrimary() throws SQLException {
    // A base backup begins and ends with a new segment, which counts.
    primary =
        PostgresServer.builder(17)
            .checksums(true)
            .initdbArgument("--wal-segsize=1")
            .setting("min_wal_size", "2MB")
            .setting("autovacuum", "off")
            .start();
    primary.execute("postgres", "create table t(a text)");
  }

  @AfterAll
  static void stopPrimary() {
    primary.close();
  }

  /** A new slot begins at the last checkpoint: with what the test before wrote, it has too much. */
  @BeforeEach
  void checkpoint() throws SQLException {
    primary.execute("postgres", "checkpoint");
  }

  @BeforeEach
  void startPageserver() throws IOException {
    pageserver =
        TestPageserver.start(
            directory,
            store,
            EngineOptions.defaults().withOpenLayer(1 << 20, Duration.ofMillis(300)));
  }

  @AfterEach
  void stopPageserver() throws SQLException {
    pageserver.close();
    assertEquals("0", primary.query("postgres", "select count(*) from pg_replication_slots"));
  }

  private static PrimarySource.Builder source(RetainedWalAction action) {
    return TestPageserver.primary(primary.port())
        .setMaxRetainedWalBytes(LIMIT_BYTES)
        .setRetainedWalAction(action);
  }

  /** About 10 MB of WAL. */
  private static void load() throws SQLException {
    primary.execute(
        "postgres",
        "insert into t select repeat(md5(i::text), 3) from generate_series(1, 60000) i");
  }

  private static boolean published(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE
        && status.getReadableFromLsn() != 0
        && status.getPublishedLsn() >= status.getReadableFromLsn();
  }

  @Test
  void showsWhatIsKept() throws Exception {
    ExpectedLog.containing("the store does not answer");
    pageserver.attach("shows", source(RetainedWalAction.RETAINED_WAL_ACTION_RETAIN));
    pageserver.await("shows", "published", RetainedWalIT::published);
    store.setDown(true);
    load();
    TimelineStatus kept =
        pageserver.await(
            "shows",
            "failing",
            s ->
                s.getProblem().contains("more than the 4.0 MB of maxRetainedWal")
                    && s.getProblem().contains("the store does not answer"));
    assertTrue(kept.getRetainedWalBytes() > LIMIT_BYTES, kept.toString());
    assertTrue(kept.getRetainedWalSeconds() > 0, kept.toString());
    assertEquals(-1, kept.getPrimaryKeepsAtMostBytes());
    assertEquals("1", primary.query("postgres", "select count(*) from pg_replication_slots"));
    store.setDown(false);
    pageserver.await(
        "shows",
        "well again",
        s -> s.getProblem().isEmpty() && s.getRetainedWalBytes() < LIMIT_BYTES);

    primary.execute("postgres", "alter system set max_slot_wal_keep_size = '3GB'");
    primary.execute("postgres", "select pg_reload_conf()", "insert into t values ('')");
    pageserver.await("shows", "bounded", s -> s.getPrimaryKeepsAtMostBytes() == 3L << 30);
    primary.execute("postgres", "alter system reset max_slot_wal_keep_size");
    pageserver.detach("shows", true);
  }

  /** Receives, and publishes nothing. */
  @Test
  void dropsTheSlotOfOneThatPublishesNothing() throws Exception {
    ExpectedLog.containing("the store does not answer");
    ExpectedLog.containing("of maxRetainedWal");
    pageserver.attach("store", source(RetainedWalAction.RETAINED_WAL_ACTION_DROP_SLOT));
    pageserver.await("store", "published", RetainedWalIT::published);
    store.setDown(true);
    load();
    assertGivenUp("store");
    store.setDown(false);
    TimelineStatus left =
        pageserver.await("store", "published", s -> s.getPublishedLsn() == s.getReceivedLsn());
    new ServedPages(pageserver.channel(), TestPageserver.TENANT + "/store")
        .assertSame(primary, "pg_am", 0, left.getReceivedLsn());
    pageserver.detach("store", true);
  }

  /** Never gets as far as to receive. */
  @Test
  void dropsTheSlotOfOneThatIsNeverCopied() throws Exception {
    ExpectedLog.containing("the store does not answer");
    ExpectedLog.containing("of maxRetainedWal");
    pageserver.attach("copy", source(RetainedWalAction.RETAINED_WAL_ACTION_DROP_SLOT));
    store.setDown(true);
    pageserver.await("copy", "failing", s -> !s.getProblem().isEmpty());
    load();
    assertGivenUp("copy");
    store.setDown(false);
    pageserver.detach("copy", true);
  }

  /** The timeline cannot even be loaded after a restart. */
  @Test
  void dropsTheSlotOfOneThatIsNotLoaded() throws Exception {
    ExpectedLog.containing("the store does not answer");
    ExpectedLog.containing("of maxRetainedWal");
    pageserver.attach("load", source(RetainedWalAction.RETAINED_WAL_ACTION_DROP_SLOT));
    pageserver.await("load", "published", RetainedWalIT::published);
    pageserver.close();
    store.setDown(true);
    load();
    startPageserver();
    assertGivenUp("load");
    store.setDown(false);
    pageserver.detach("load", true);
  }

  private void assertGivenUp(String timeline) throws Exception {
    pageserver.await(
        timeline,
        "given up",
        s ->
            s.getState() == TimelineState.TIMELINE_STATE_SOURCE_GIVEN_UP
                && s.getProblem().contains("\"varve_" + timeline + "\", more than the 4.0 MB")
                && s.getProblem().contains("the slot is dropped")
                && !s.getProblem().contains("still to be dropped"));
    assertEquals("0", primary.query("postgres", "select count(*) from pg_replication_slots"));
    assertEquals("0", primary.query("postgres", "select count(*) from pg_stat_replication"));
  }

  /** The WAL sender ends a while after its connection, and has the slot until then. */
  @Test
  void detachesWhileTheWalSenderEnds() throws Exception {
    pageserver.attach("ending", TestPageserver.primary(primary.port()));
    pageserver.await("ending", "published", RetainedWalIT::published);
    String walSender =
        primary.query(
            "postgres",
            "select pid from pg_stat_replication where application_name like 'varve %/ending'");
    signal("STOP", walSender);
    try (ExecutorService client = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> detached;
      try {
        detached = client.submit(() -> pageserver.detach("ending", true));
        awaitDetached("ending");
        assertEquals(
            "t", primary.query("postgres", "select active from pg_replication_slots limit 1"));
      } finally {
        signal("CONT", walSender);
      }
      detached.get(30, TimeUnit.SECONDS);
    }
  }

  private void awaitDetached(String timeline) {
    while (true) {
      try {
        pageserver.status(timeline);
      } catch (StatusRuntimeException e) {
        assertEquals(Status.Code.NOT_FOUND, e.getStatus().getCode(), e.getMessage());
        return;
      }
    }
  }

  private static void signal(String name, String pid) throws Exception {
    assertEquals(0, new ProcessBuilder("kill", "-" + name, pid).start().waitFor());
  }
}
