package dev.varve.engine.timeline;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.redo.IndexWorkloads;
import dev.varve.engine.redo.OracleRounds;
import dev.varve.engine.redo.RandomWorkload;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * After a workload, everything that Varve serves at an LSN equals what a stock standby has on disk
 * there: {@link StandbyComparison}.
 */
final class StandbyOracleIT {
  @ParameterizedTest
  @CsvSource({"17, false", "18, true"})
  void pagesEqualAStandbys(int major, boolean checksums, @TempDir Path directory) throws Exception {
    compare(major, checksums, directory, StandbyOracleIT::workload);
  }

  /**
   * Every kind of record of the access methods with free space in their pages, which is compared
   * too.
   */
  @ParameterizedTest
  @CsvSource({"15, false", "16, false", "17, false", "18, false"})
  void indexPagesEqualAStandbys(int major, boolean checksums, @TempDir Path directory)
      throws Exception {
    compare(
        major,
        checksums,
        directory,
        primary -> {
          primary.execute("postgres", IndexWorkloads.btree().toArray(String[]::new));
          primary.execute("postgres", IndexWorkloads.hash().toArray(String[]::new));
          primary.execute("postgres", IndexWorkloads.gin().toArray(String[]::new));
          primary.execute("postgres", IndexWorkloads.gist().toArray(String[]::new));
          primary.execute("postgres", IndexWorkloads.brinAndGeneric().toArray(String[]::new));
          primary.execute("postgres", IndexWorkloads.spgist().toArray(String[]::new));
          // At shutdown a standby writes out its buffers only if it has seen a checkpoint.
          primary.execute("postgres", "checkpoint");
        });
  }

  /** Pages whose hints are logged as images, of an access method that sets hints in its items. */
  @ParameterizedTest
  @CsvSource({"15, true", "16, true", "17, true", "18, true"})
  void hashPagesEqualAStandbys(int major, boolean checksums, @TempDir Path directory)
      throws Exception {
    compare(
        major,
        checksums,
        directory,
        primary -> {
          primary.execute("postgres", IndexWorkloads.hash().toArray(String[]::new));
          primary.execute("postgres", "checkpoint");
        });
  }

  /**
   * Databases that are copied as files and are larger than an open layer, again and again to the
   * same place, with changes in between: the copy goes to layers of its own, among merged ones.
   */
  @ParameterizedTest
  @CsvSource({"15, true", "18, false"})
  void copiedDatabasesEqualAStandbys(int major, boolean checksums, @TempDir Path directory)
      throws Exception {
    compare(
        major,
        checksums,
        directory,
        EngineOptions.defaults().withOpenLayer(256 << 10, Duration.ofMillis(300)),
        StandbyOracleIT::copyDatabases);
  }

  private static void copyDatabases(PostgresServer primary) throws Exception {
    primary.execute("postgres", "create database template_of_all");
    primary.execute(
        "template_of_all",
        "create table t(id int primary key, a text)",
        "insert into t select i, md5(i::text) from generate_series(1, 10000) i");
    primary.execute(
        "postgres",
        "set allow_in_place_tablespaces = on",
        "create tablespace elsewhere location ''",
        "create database moved template template_of_all strategy file_copy");
    for (int round = 0; round < 2; round++) {
      primary.execute("moved", "update t set a = a || 'x' where id % 5 = " + round, "vacuum t");
      primary.execute(
          "postgres",
          "alter database moved set tablespace elsewhere",
          "create database copy" + round + " template moved strategy file_copy");
      primary.execute("moved", "update t set a = a || 'y' where id % 7 = " + round);
      primary.execute("postgres", "alter database moved set tablespace pg_default");
      primary.execute("moved", "delete from t where id % 11 = " + round);
      primary.execute(
          "postgres",
          "drop database if exists copy" + (1 - round),
          "create table filler" + round + " as select generate_series(1, 50000)");
    }
    primary.execute("postgres", "checkpoint");
  }

  /** What a cluster's control file said when a phase of its life ended. */
  private record Phase(long lsn, String hints, String commitTs, int oldestXid, int newestXid) {}

  /**
   * Settings that redo depends on change with restarts of the primary, at the end of the id spaces:
   * each phase's end equals a standby's that replayed the phase under the same {@code
   * wal_log_hints}, whatever holds afterwards, and after the timeline was attached again.
   */
  @ParameterizedTest
  @CsvSource({"15", "17", "18"})
  void eachPhaseEqualsAStandbys(int major, @TempDir Path directory) throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rwx------"));
    EngineOptions options = EngineOptions.defaults().withOpenLayer(2 << 20, Duration.ofMillis(300));
    TimelineName id = new TimelineName("acme", "main");
    try (CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        PostgresServer primary =
            PostgresServer.builder(major)
                .setting("full_page_writes", "off")
                .setting("autovacuum", "off")
                .setting("synchronous_commit", "off")
                .setting("wal_keep_size", "4GB")
                .create()) {
      NearWraparound.prepare(primary);
      primary.execute(
          "postgres",
          "create table t(id int primary key, n int)",
          "insert into t select i, 0 from generate_series(1, 20000) i",
          "create table locked(id int primary key)",
          "insert into locked select generate_series(1, 4500)");
      List<Phase> phases = new ArrayList<>();
      PrimaryFeed feed = new PrimaryFeed(primary);
      try (Tenants tenants =
          new Tenants(store, directory.resolve("cache"), options, System::nanoTime)) {
        Timeline timeline = tenants.attach(id, 0);
        Files.createDirectories(copy.resolve("pg_wal"));
        PostgresServer.own(copy.resolve("pg_wal"));
        feed.importBackup(timeline, copy, () -> {});
        phases.add(phase(primary, feed, timeline, "off", "off", 1));
        phases.add(phase(primary, feed, timeline, "on", "on", 2));
        phases.add(phase(primary, feed, timeline, "off", "off", 3));
        phases.add(phase(primary, feed, timeline, "on", "on", 4));
        phases.add(phase(primary, feed, timeline, "off", "on", 5));
        comparePhases(primary, phases.subList(0, 2), copy, timeline);
        timeline.publishNow(Duration.ofMinutes(1));
      }
      try (Tenants tenants =
          new Tenants(store, directory.resolve("other"), options, System::nanoTime)) {
        Timeline timeline = tenants.attach(id, 0);
        comparePhases(primary, phases.subList(2, phases.size()), copy, timeline);
        compareCommitTimes(primary, timeline, phases.getLast().lsn());
      }
    } finally {
      PostgresServer.deleteTree(copy);
    }
  }

  private static Phase phase(
      PostgresServer primary,
      PrimaryFeed feed,
      Timeline timeline,
      String hints,
      String commitTs,
      int number)
      throws Exception {
    primary.setting("wal_log_hints", hints);
    primary.setting("track_commit_timestamp", commitTs);
    primary.restart();
    primary.execute(
        "postgres",
        "update t set n = n + 1 where id % 7 = " + number,
        "delete from t where id % 50 = " + number,
        "vacuum t",
        NearWraparound.burnTransactions(2500),
        NearWraparound.burnMultiXacts(1200));
    if (number == 2 || number == 4) {
      NearWraparound.freeze(primary);
    }
    if (number == 3) {
      // Old enough for its commit timestamp to belong before all that is kept.
      primary.execute("postgres", "begin; insert into t values (-1, 1); prepare transaction 'p'");
    }
    if (number == 4) {
      primary.execute("postgres", "commit prepared 'p'");
    }
    primary.execute("postgres", NearWraparound.burnTransactions(1000), "checkpoint");
    feed.catchUp(timeline);
    return new Phase(
        timeline.boundaryAt(timeline.receivedLsn()).endLsn(),
        hints,
        commitTs,
        xidOf(primary, "oldest_commit_ts_xid"),
        xidOf(primary, "newest_commit_ts_xid"));
  }

  private static int xidOf(PostgresServer primary, String column) throws Exception {
    return Integer.parseUnsignedInt(
        primary.query("postgres", "select " + column + " from pg_control_checkpoint()"));
  }

  private static void comparePhases(
      PostgresServer primary, List<Phase> phases, Path copy, Timeline timeline) throws Exception {
    for (Phase phase : phases) {
      ClusterView view = timeline.view(phase.lsn());
      byte[] checkPoint = view.checkPoint();
      assertEquals(phase.oldestXid(), i32(checkPoint, CheckPoint.OLDEST_COMMIT_TS_XID));
      assertEquals(phase.newestXid(), i32(checkPoint, CheckPoint.NEWEST_COMMIT_TS_XID));
      assertEquals(
          phase.hints().equals("on"), ControlFile.logsHints(view.controlFile()), phase.toString());
      StandbyComparison.compare(
          primary, copy, timeline, phase.lsn(), false, Map.of("wal_log_hints", phase.hints()));
    }
  }

  /** By SQL, on a compute: times of commits are there, and those that are gone are not. */
  private static void compareCommitTimes(PostgresServer primary, Timeline timeline, long lsn)
      throws Exception {
    String times =
        "select md5(string_agg(xmin::text || ' ' || coalesce(pg_xact_commit_timestamp(xmin)::text,"
            + " 'none'), ',' order by id)) || count(distinct pg_xact_commit_timestamp(xmin)) from t";
    Path data = PostgresServer.temporaryDirectory();
    try {
      EagerLayout.layOut(timeline, lsn, data);
      try (PostgresServer compute =
          PostgresServer.builder(primary.major())
              .setting("full_page_writes", "off")
              .setting("track_commit_timestamp", "on")
              .on(data)) {
        compute.start();
        assertEquals(primary.query("postgres", times), compute.query("postgres", times));
      }
    } finally {
      PostgresServer.deleteTree(data);
    }
  }

  /**
   * A stock standby pauses at LSNs by chance of a long stream. Each time every block equals what
   * Varve serves there after all WAL around it has been merged, so that pages are read out of the
   * middle of runs that reach far beyond the LSN.
   */
  @ParameterizedTest
  @CsvSource({"15, 1", "17, 2", "18, 3"})
  void eachPauseOfALongStreamEqualsAStandbys(int major, long seed, @TempDir Path directory)
      throws Exception {
    comparePauses(major, seed, 4, directory);
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("rounds")
  void eachPauseOfRandomStreamsEqualsAStandbys(int major, long seed, @TempDir Path directory)
      throws Exception {
    comparePauses(major, seed, 12, directory);
  }

  private static void comparePauses(int major, long seed, int pauses, Path directory)
      throws Exception {
    Random random = new Random(seed);
    Path copy = PostgresServer.temporaryDirectory();
    Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rwx------"));
    EngineOptions options =
        EngineOptions.defaults().withOpenLayer(64 << 10, Duration.ofMillis(100));
    try (CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        PostgresServer primary =
            PostgresServer.builder(major)
                // Each start of the standby replays again what came since a checkpoint, on pages
                // that are newer: without images, PostgreSQL 18.6 has crashed in that.
                .setting("full_page_writes", "on")
                .setting("autovacuum", "off")
                .setting("wal_keep_size", "4GB")
                .start();
        Tenants tenants =
            new Tenants(store, directory.resolve("cache"), options, System::nanoTime)) {
      Timeline timeline = tenants.attach(new TimelineName("acme", "main"), 0);
      PrimaryFeed feed = new PrimaryFeed(primary);
      Files.createDirectories(copy.resolve("pg_wal"));
      PostgresServer.own(copy.resolve("pg_wal"));
      feed.importBackup(timeline, copy, () -> {});
      List<Long> targets = new ArrayList<>();
      // What comes last stays unmerged: one more, at which nobody pauses.
      for (int pause = 0; pause <= pauses; pause++) {
        // At shutdown a standby writes out its buffers only if it has seen a checkpoint since its
        // start: one is between each two of the LSNs.
        primary.execute("postgres", "checkpoint");
        long from = Lsn.parse(primary.currentLsn());
        primary.execute(
            "postgres",
            "drop table if exists r",
            "drop sequence if exists s",
            "create table d" + pause + "(i int)");
        new RandomWorkload(random.nextLong(), Set.of(11, 12, 13, 14, 16, 17, 20))
            .run(primary, OracleRounds.STEPS / 2);
        primary.execute("postgres", "drop table if exists d" + random.nextInt(pause + 1));
        feed.catchUp(timeline);
        targets.add(random.nextLong(from, timeline.receivedLsn()));
      }
      targets.removeLast();
      timeline.publishNow(Duration.ofMinutes(1));
      awaitMerged(store, targets);
      for (long target : targets) {
        StandbyComparison.compare(
            primary, copy, timeline, timeline.boundaryAt(target).endLsn(), false, Map.of());
      }
    } finally {
      PostgresServer.deleteTree(copy);
    }
  }

  /** Waits until the stream around each LSN is in a layer that was merged. */
  private static void awaitMerged(ObjectStore store, List<Long> lsns) throws Exception {
    String manifests = "manifest/";
    String name =
        store.list("").stream()
            .map(ObjectEntry::name)
            .filter(object -> object.contains("/" + manifests))
            .findFirst()
            .orElseThrow();
    ManifestStore stored =
        new ManifestStore(store, name.substring(0, name.lastIndexOf(manifests)), 1);
    long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
    while (!lsns.stream().allMatch(lsn -> isMerged(stored, lsn))) {
      assertTrue(System.nanoTime() < deadline, "not merged");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static boolean isMerged(ManifestStore stored, long lsn) {
    try {
      return stored.load().layers().stream()
          .anyMatch(layer -> layer.level() > 0 && layer.startLsn() < lsn && lsn < layer.endLsn());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The rounds of a long run: every access method, by chance. */
  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("rounds")
  void pagesOfRandomWorkloadsEqualAStandbys(int major, long seed, @TempDir Path directory)
      throws Exception {
    compare(
        major,
        seed % 2 == 0,
        directory,
        primary -> {
          new RandomWorkload(seed, Set.of(11, 12, 13, 14, 16, 17, 20))
              .run(primary, OracleRounds.STEPS);
          primary.execute("postgres", "checkpoint");
        });
  }

  private static Stream<Arguments> rounds() {
    return OracleRounds.seeds().stream()
        .flatMap(seed -> Stream.of(15, 16, 17, 18).map(major -> arguments(major, seed)));
  }

  private interface Workload {
    void run(PostgresServer primary) throws Exception;
  }

  private static void compare(int major, boolean checksums, Path directory, Workload workload)
      throws Exception {
    compare(
        major,
        checksums,
        directory,
        EngineOptions.defaults().withOpenLayer(2 << 20, Duration.ofMillis(300)),
        workload);
  }

  private static void compare(
      int major, boolean checksums, Path directory, EngineOptions options, Workload workload)
      throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rwx------"));
    try (PostgresServer primary =
            PostgresServer.builder(major)
                .checksums(checksums)
                .setting("full_page_writes", "off")
                .setting("autovacuum", "off")
                .setting("wal_keep_size", "4GB")
                .start();
        CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        Tenants tenants =
            new Tenants(store, directory.resolve("cache"), options, System::nanoTime)) {
      primary.execute(
          "postgres",
          "create table before(id int primary key, t text)",
          "insert into before select i, repeat('x', i % 300) from generate_series(1, 5000) i");
      Timeline timeline = tenants.attach(new TimelineName("acme", "main"), 0);
      PrimaryFeed feed = new PrimaryFeed(primary);
      Files.createDirectories(copy.resolve("pg_wal"));
      PostgresServer.own(copy.resolve("pg_wal"));
      feed.importBackup(
          timeline,
          copy,
          () -> primary.execute("postgres", "update before set t = t || 'y' where id % 3 = 0"));
      feed.catchUp(timeline);
      workload.run(primary);
      feed.catchUp(timeline);
      long lsn = timeline.receivedLsn();
      assertTrue(timeline.readableFromLsn() != 0, "the end of the backup was found");
      StandbyComparison.compare(
          primary, copy, timeline, timeline.boundaryAt(lsn).endLsn(), checksums, Map.of());
    } finally {
      PostgresServer.deleteTree(copy);
    }
  }

  private static void workload(PostgresServer primary) throws Exception {
    primary.execute(
        "postgres",
        "create table t(id serial primary key, a int, b text)",
        "create index on t(a)",
        "insert into t(a, b) select i % 100, md5(i::text) from generate_series(1, 20000) i",
        "update t set a = a + 1 where id % 7 = 0",
        "delete from t where id % 5 = 0",
        "vacuum t",
        "insert into t(a, b) select i, repeat(md5(i::text), 100) from generate_series(1, 500) i",
        "vacuum full t",
        "create table gone as select * from t",
        "drop table gone",
        "truncate before",
        "insert into before select i, 'again' from generate_series(1, 100) i",
        // A hash index doubles: of the new buckets it writes the last one, hundreds of blocks on.
        "create table grown(i int)",
        "create index on grown using hash (i)",
        "insert into grown select generate_series(1, 100000)",
        // Pages at the end are cut off and written again.
        "create table cut as select i, repeat('x', 300) t from generate_series(1, 20000) i",
        "delete from cut where i > 5000",
        "vacuum cut",
        "insert into cut select i, repeat('y', 200) from generate_series(1, 10000) i",
        "delete from cut where t like 'y%'",
        "vacuum cut",
        "insert into cut select i, repeat('z', 400) from generate_series(1, 10000) i",
        "checkpoint",
        "create database other",
        "select pg_switch_wal()");
    primary.execute(
        "other", "create table o(i int)", "insert into o select generate_series(1, 1000)");
  }
}
