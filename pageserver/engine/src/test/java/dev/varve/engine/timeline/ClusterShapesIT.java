package dev.varve.engine.timeline;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.testkit.ClusterReset;
import dev.varve.testkit.ControlFile.Field;
import dev.varve.testkit.DdlRich;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TableHashes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Stock PostgreSQL starts from images of clusters that years of use have shaped: tablespaces that
 * came and went, promotions, transaction ids at the end of their circle, files that are empty or
 * larger than one segment.
 */
final class ClusterShapesIT {
  private static final TimelineName ID = new TimelineName("acme", "main");
  private static final int FILE_BLOCKS = 131_072;
  private static final int PAGE = 8192;

  @TempDir private Path directory;
  private Path copy;
  private Path elsewhere;

  @BeforeEach
  void makeDirectories() throws IOException {
    copy = PostgresServer.temporaryDirectory();
    elsewhere = DdlRich.tablespaceDirectory();
  }

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireClean(new LocalObjectStore(directory.resolve("store")));
  }

  @AfterEach
  void removeDirectories() {
    PostgresServer.deleteTree(copy);
    PostgresServer.deleteTree(elsewhere);
  }

  private static PostgresServer.Builder primary(int major) {
    return PostgresServer.builder(major)
        .setting("autovacuum", "off") // it would write between the look and its LSN
        .setting("allow_in_place_tablespaces", "on")
        .setting("wal_keep_size", "1GB");
  }

  private Tenants tenants() throws IOException {
    return new Tenants(
        new LocalObjectStore(directory.resolve("store")),
        directory.resolve("cache"),
        EngineOptions.defaults(),
        System::nanoTime);
  }

  private static void publish(Timeline timeline) {
    timeline.publishNow(java.time.Duration.ofMinutes(1));
  }

  // Tablespaces

  @ParameterizedTest
  @ValueSource(ints = {15, 17, 18})
  void tablespacesThatCameAndWent(int major) throws Exception {
    try (PostgresServer server = primary(major).start()) {
      PrimaryFeed feed = new PrimaryFeed(server);
      var expected = TableHashes.of(server);
      try (Tenants tenants = tenants()) {
        Timeline timeline = tenants.attach(ID, 0);
        useTablespaces(server, "before");
        feed.importBackup(timeline, copy, () -> {});
        useTablespaces(server, "after");
        expected = TableHashes.of(server);
        feed.catchUp(timeline);
        publish(timeline);
      }
      // Another attachment reads the same state back.
      try (Tenants tenants = tenants()) {
        Timeline timeline = tenants.attach(ID, 0);
        feed.catchUp(timeline);
        startWithTablespaces(major, timeline, server, expected);
        // Those that are dropped after the backup, though they were there in it.
        server.execute(
            "postgres",
            "drop table far_before",
            "drop table far_after",
            "drop database in_place_before",
            "drop tablespace place_before",
            "drop tablespace place_after");
        feed.catchUp(timeline);
        startWithTablespaces(major, timeline, server, TableHashes.of(server));
      }
    }
  }

  /** Leaves one that is in use, made in place, and has been of every other kind. */
  private void useTablespaces(PostgresServer server, String when) throws Exception {
    Path gone = Files.createDirectory(elsewhere.resolve(when));
    PostgresServer.own(gone);
    String place = "place_" + when;
    server.execute(
        "postgres",
        "create tablespace gone location '" + gone + "'",
        "create table x tablespace gone as select 1 as i",
        "create table moved_" + when + " tablespace gone as select generate_series(1, 100) as i",
        "create unlogged table u(i int primary key) tablespace gone",
        "create database in_gone tablespace gone",
        "drop database in_gone",
        "alter table moved_" + when + " set tablespace pg_default",
        "drop table x, u",
        "drop tablespace gone",
        "create tablespace gone location '" + gone + "'",
        "drop tablespace gone",
        "create tablespace " + place + " location ''",
        "create table far_" + when + " tablespace " + place + " as select 7 as i",
        "create tablespace empty_" + when + " location ''",
        "create tablespace brief location ''",
        "create table b tablespace brief as select 1 as i",
        "drop table b",
        "drop tablespace brief");
    if (when.equals("before")) {
      server.execute("postgres", "create database in_place_before tablespace place_before");
      server.execute("in_place_before", "create table home as select 3 as i");
      server.execute(
          "postgres",
          "create database wanderer tablespace place_before",
          "alter database wanderer set tablespace pg_default");
    }
  }

  private static final String LOCATIONS =
      "select string_agg(spcname || '=' || pg_tablespace_location(oid), ' ' order by spcname)"
          + " from pg_tablespace";

  private static void startWithTablespaces(
      int major, Timeline timeline, PostgresServer server, java.util.SortedMap<String, String> rows)
      throws Exception {
    try (Compute compute = new Compute(major, timeline)) {
      PostgresServer postgres = compute.start();
      assertEquals(rows, TableHashes.of(postgres));
      assertEquals(server.query("postgres", LOCATIONS), postgres.query("postgres", LOCATIONS));
      // The image's tablespaces are dropped, and others made.
      List<String> tablespaces =
          List.of(
              postgres
                  .query(
                      "postgres",
                      "select coalesce(string_agg(spcname, ',' order by spcname), '') from"
                          + " pg_tablespace where spcname like 'place%'")
                  .split(","));
      postgres.execute(
          "postgres",
          "create tablespace own location ''",
          "create table in_own tablespace own as select 1 as i",
          "alter database wanderer set tablespace own",
          "create database fresh tablespace own");
      assertEquals(
          "1", postgres.query("fresh", "select count(*) from pg_database where datname = 'fresh'"));
      postgres.execute(
          "postgres",
          "drop database fresh",
          "drop database wanderer",
          "drop table in_own",
          "drop tablespace own");
      if (tablespaces.contains("place_before")) {
        postgres.execute("postgres", "alter table far_before set tablespace pg_default");
        postgres.execute("postgres", "alter database in_place_before set tablespace pg_default");
        postgres.execute("postgres", "drop tablespace place_before", "drop tablespace empty_after");
        assertEquals("7", postgres.query("postgres", "select i from far_before"));
        assertEquals("3", postgres.query("in_place_before", "select i from home"));
      }
      postgres.execute("postgres", "checkpoint");
      postgres.restart();
      compute.assertNothingLogged();
    }
  }

  // History

  @ParameterizedTest
  @ValueSource(ints = {15, 17, 18})
  void aClusterThatWasPromotedTwice(int major) throws Exception {
    try (PostgresServer server = primary(major).setting("restore_command", "false").create();
        Tenants tenants = tenants()) {
      for (int promotion = 0; promotion < 2; promotion++) {
        Path signal = server.dataDirectory().resolve("recovery.signal");
        Files.createFile(signal);
        PostgresServer.own(signal);
        server.start();
        server.await("select not pg_is_in_recovery()", "it is promoted");
        server.execute("postgres", "create table t" + promotion + " as select 1 as i");
        server.stop();
      }
      server.start();
      PrimaryFeed feed = new PrimaryFeed(server);
      Timeline timeline = tenants.attach(ID, 0);
      feed.importBackup(timeline, copy, () -> {});
      feed.catchUp(timeline);
      try (Compute compute = new Compute(major, timeline)) {
        for (String name : List.of("00000002.history", "00000003.history")) {
          assertArrayEquals(
              Files.readAllBytes(server.dataDirectory().resolve("pg_wal").resolve(name)),
              Files.readAllBytes(compute.data.resolve("pg_wal").resolve(name)),
              name);
        }
        PostgresServer postgres = compute.start();
        Properties replication = new Properties();
        replication.setProperty("replication", "database");
        replication.setProperty("preferQueryMode", "simple");
        replication.setProperty("assumeMinServerVersion", "15");
        try (Connection connection = postgres.connect("postgres", replication);
            Statement statement = connection.createStatement();
            var history = statement.executeQuery("TIMELINE_HISTORY 3")) {
          assertTrue(history.next());
          assertEquals(
              Files.readString(server.dataDirectory().resolve("pg_wal/00000003.history")),
              new String(history.getBytes(2), UTF_8));
        }
        compute.assertNothingLogged();
      }
    }
  }

  // Sizes

  @Test
  void filesThatAreEmptyOrMoreThanOneSegment() throws Exception {
    int major = 17;
    try (PostgresServer server = primary(major).start();
        Tenants tenants = tenants()) {
      server.execute(
          "postgres",
          "comment on database postgres is 'shared'",
          "create table short as select generate_series(1, 1000) as i",
          "create table gone as select generate_series(1, 1000) as i",
          "checkpoint");
      String shared = server.query("postgres", "select pg_relation_filepath('pg_shdescription')");
      String shortFile = server.query("postgres", "select pg_relation_filepath('short')");
      String blocks = server.query("postgres", "select pg_relation_size('short')");
      server.stop();
      Path data = server.dataDirectory();
      // Pages of zeros are what an extension leaves.
      long length = (FILE_BLOCKS + 5L) * PAGE;
      long first = (long) FILE_BLOCKS * PAGE;
      try (RandomAccessFile file = new RandomAccessFile(data.resolve(shared).toFile(), "rw");
          RandomAccessFile second =
              new RandomAccessFile(data.resolve(shared + ".1").toFile(), "rw")) {
        file.setLength(first);
        second.setLength(length - first);
      }
      PostgresServer.own(data.resolve(shared + ".1"));
      // What a truncation leaves of segments behind the end, and names that are nobody's.
      for (String name :
          List.of(
              shortFile + ".1",
              "base/5/99999999999",
              "base/5/9999999999",
              "base/5/016384",
              "base/5/t3_16384",
              "base/5/16384.40000",
              "base/1/core",
              "pg_xact/00000A0000",
              "pg_tblspc.old",
              "backup_label.old")) {
        Files.createFile(data.resolve(name));
        PostgresServer.own(data.resolve(name));
      }
      server.start();
      PrimaryFeed feed = new PrimaryFeed(server);
      Timeline timeline = tenants.attach(ID, 0);
      feed.importBackup(timeline, copy, () -> {});
      feed.catchUp(timeline);
      try (Compute compute = new Compute(major, timeline)) {
        assertEquals(length - first, Files.size(compute.data.resolve(shared + ".1")));
        PostgresServer postgres = compute.start();
        assertEquals(
            Long.toString(length),
            postgres.query("postgres", "select pg_relation_size('pg_shdescription')"));
        assertEquals(
            "shared",
            postgres.query(
                "postgres", "select description from pg_shdescription where objoid = 5"));
        assertEquals(blocks, postgres.query("postgres", "select pg_relation_size('short')"));
        assertEquals("1000", postgres.query("postgres", "select count(*) from short"));
        compute.assertNothingLogged();
      }
    }
  }

  // SLRUs

  /** The last ids before each circle closes. */
  private static final long NEAR_THE_END = 0xFFFF_FF00L;

  @ParameterizedTest
  @ValueSource(ints = {15, 17, 18})
  void idsAtTheEndOfTheirCircle(int major) throws Exception {
    try (PostgresServer server = primary(major).setting("track_commit_timestamp", "on").start();
        Tenants tenants = tenants()) {
      for (String database : List.of("postgres", "template1")) {
        server.execute(database, "vacuum (freeze)");
      }
      server.stop();
      ClusterReset.run(
          server,
          Map.of(
              Field.NEXT_XID, NEAR_THE_END,
              Field.OLDEST_XID, NEAR_THE_END - 100_000,
              Field.NEXT_MULTI, NEAR_THE_END,
              Field.OLDEST_MULTI, NEAR_THE_END,
              Field.NEXT_MULTI_OFFSET, NEAR_THE_END,
              Field.OLDEST_COMMIT_TS_XID, 0L,
              Field.NEWEST_COMMIT_TS_XID, 0L));
      Path data = server.dataDirectory();
      slruFile(data, "pg_xact/0FFC", 32);
      slruFile(data, "pg_xact/0FFD", 32);
      slruFile(data, "pg_xact/0FFE", 32);
      slruFile(data, "pg_xact/0FFF", 32);
      slruFile(data, "pg_multixact/offsets/FFFF", 32);
      slruFile(data, "pg_multixact/members/14078", 6);
      server.start();
      PrimaryFeed feed = new PrimaryFeed(server);
      server.execute(
          "postgres",
          "create table rows(i int primary key, n int)",
          "insert into rows select i, 0 from generate_series(1, 400) i");
      lockTwice(server, 1, 20);
      Timeline timeline = tenants.attach(ID, 0);
      feed.importBackup(timeline, copy, () -> {});
      // The newest page is the last one of each circle.
      compare(major, server, feed, timeline);
      lockTwice(server, 21, 400);
      useXids(server, 300);
      assertEquals("1 true true", crossed(server));
      compare(major, server, feed, timeline);
    }
  }

  /** The epoch, and whether multixacts and their members are behind the end. */
  private static String crossed(PostgresServer server) throws SQLException {
    server.execute("postgres", "checkpoint");
    return server.query(
        "postgres",
        "select split_part(next_xid, ':', 1) || ' ' || (next_multixact_id::text::int8 < 100000)"
            + " || ' ' || (next_multi_offset::text::int8 < 100000) from pg_control_checkpoint()");
  }

  private static void slruFile(Path data, String name, int pages) throws IOException {
    Files.write(data.resolve(name), new byte[pages * PAGE]);
    PostgresServer.own(data.resolve(name));
  }

  /** Multixacts, at least one for each of these rows, by as many pairs of transactions. */
  private static void lockTwice(PostgresServer server, int from, int to) throws SQLException {
    try (Connection first = server.connect("postgres");
        Connection second = server.connect("postgres");
        Statement one = first.createStatement();
        Statement two = second.createStatement()) {
      first.setAutoCommit(false);
      second.setAutoCommit(false);
      for (int row = from; row <= to; row++) {
        one.execute("select * from rows where i = " + row + " for key share");
        two.execute("select * from rows where i = " + row + " for share");
        first.commit();
        two.execute("update rows set n = n + 1 where i = " + row);
        second.commit();
      }
    }
  }

  private static void useXids(PostgresServer server, int count) throws SQLException {
    try (Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement()) {
      for (int i = 0; i < count; i++) {
        statement.execute("insert into rows values (" + (1000 + i) + ", 1)");
      }
    }
  }

  private static void compare(int major, PostgresServer server, PrimaryFeed feed, Timeline timeline)
      throws Exception {
    server.execute("postgres", "checkpoint");
    var rows = TableHashes.of(server);
    feed.catchUp(timeline);
    try (Compute compute = new Compute(major, timeline)) {
      for (String slru :
          List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts")) {
        assertEquals(
            names(server.dataDirectory().resolve(slru)), names(compute.data.resolve(slru)), slru);
      }
      PostgresServer postgres = compute.set("track_commit_timestamp", "on").start();
      assertEquals(rows, TableHashes.of(postgres));
      postgres.execute("postgres", "update rows set n = n + 1", "vacuum (freeze) rows");
      assertNotEquals(rows, TableHashes.of(postgres));
      compute.assertNothingLogged();
    }
  }

  private static Set<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** A data directory at the newest LSN of a timeline. */
  private static final class Compute implements AutoCloseable {
    final Path data;
    private final PostgresServer.Builder builder;
    private PostgresServer server;

    Compute(int major, Timeline timeline) throws IOException {
      data = PostgresServer.temporaryDirectory();
      EagerLayout.layOut(timeline, timeline.receivedLsn(), data);
      builder =
          PostgresServer.builder(major)
              .setting("full_page_writes", "off")
              .setting("allow_in_place_tablespaces", "on");
    }

    Compute set(String name, String value) {
      builder.setting(name, value);
      return this;
    }

    PostgresServer start() {
      server = builder.on(data);
      server.start();
      return server;
    }

    void assertNothingLogged() {
      assertTrue(
          server.log().lines().noneMatch(line -> line.matches(".*(WARNING|ERROR|PANIC):.*")),
          server::log);
    }

    @Override
    public void close() {
      if (server != null) {
        server.close();
      }
      PostgresServer.deleteTree(data);
    }
  }
}
