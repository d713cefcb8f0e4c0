package dev.varve.compute.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.AgedCluster;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * Stock PostgreSQL over the mount, its pages and image coming from another data directory through
 * the real contract.
 */
class AgentIT {
  private static final int MAJOR = 17;
  private static final String SUM = "select count(*) || ':' || sum(hashtext(t::text)) from t";

  private static PostgresServer original;
  private static Path space;
  private static String expected;
  private DataDirectoryServer server;
  private Path directory;

  @BeforeAll
  static void makeOriginal() throws IOException, SQLException {
    original = PostgresServer.builder(MAJOR).setting("allow_in_place_tablespaces", "on").start();
    space = PostgresServer.temporaryDirectory();
    original.execute(
        "postgres",
        "create tablespace far location '" + space + "'",
        "create table t (id int primary key, body text)",
        "insert into t select i, repeat(md5(i::text), 8) from generate_series(1, 100000) i",
        "create table t_far (id int) tablespace far",
        "insert into t_far select generate_series(1, 1000)",
        "create unlogged table u (id int)",
        "create tablespace place location ''",
        "create table t_place tablespace place as select generate_series(1, 1000) as id",
        "create database placed tablespace place",
        "create tablespace unused location ''",
        "vacuum analyze");
    expected = original.query("postgres", SUM);
    original.stop();
  }

  @AfterAll
  static void removeOriginal() {
    original.close();
    PostgresServer.deleteTree(space);
  }

  @BeforeEach
  void serve() throws IOException {
    server = new DataDirectoryServer(original.dataDirectory(), MAJOR);
    directory = PostgresServer.temporaryDirectory().resolve("compute");
  }

  @AfterEach
  void end() {
    server.close();
    PostgresServer.deleteTree(directory.getParent());
  }

  private AgentProcess agent(String... more) throws IOException {
    return new AgentProcess(
        server.address(), directory, original.binDirectory(), PostgresServer.UID, more);
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void readsWritesAndKeepsWritesOverARestart() throws Exception {
    try (AgentProcess agent = agent()) {
      System.out.println(agent.awaitReady());
      long atReady = server.pages.get();
      assertEquals("repeat", agent.query("select 'repeat'"));
      assertEquals(expected, agent.query(SUM));
      assertEquals("1000", agent.query("select count(*) from t_far"));
      System.out.println("pages at ready " + atReady + ", after a scan " + server.pages.get());
      agent.execute(
          "update t set body = 'changed' where id % 10 = 0",
          "create table mine as select * from t where id < 5000",
          "insert into t_far select generate_series(1, 500)",
          "vacuum full t_far",
          "insert into u values (1)",
          "create database other",
          "drop table if exists gone");
      expectAfterWrites(agent);
      String output = agent.stop();
      assertTrue(output.contains("stopped code=0"), output);
    }
    assertFalse(Files.readString(Path.of("/proc/self/mounts")).contains(directory.toString()));
    try (AgentProcess agent = agent()) {
      assertTrue(agent.awaitReady().contains("resumed"));
      expectAfterWrites(agent);
      agent.stop();
    }
  }

  private static void expectAfterWrites(AgentProcess agent) throws SQLException {
    assertEquals("10000", agent.query("select count(*) from t where body = 'changed'"));
    assertEquals("100000", agent.query("select count(*) from t"));
    assertEquals("4999", agent.query("select count(*) from mine"));
    assertEquals("1500", agent.query("select count(*) from t_far"));
    assertEquals("1", agent.query("select count(*) from pg_database where datname = 'other'"));
  }

  @Test
  void copiesEverythingWhenEager() throws Exception {
    try (AgentProcess agent = agent("--eager")) {
      System.out.println(agent.awaitReady());
      assertEquals(expected, agent.query(SUM));
      agent.execute("delete from t where id > 100");
      assertTrue(agent.stop().contains("stopped code=0"));
    }
    server.failing = true;
    try (AgentProcess agent = agent("--eager")) {
      agent.awaitReady();
      assertEquals("100", agent.query("select count(*) from t"));
      assertEquals("1000", agent.query("select count(*) from t_far"));
    }
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void tablespacesGoAndComeInTheMount() throws Exception {
    Path made = PostgresServer.temporaryDirectory();
    try (AgentProcess agent = agent()) {
      agent.awaitReady();
      tablespacesGoAndCome(agent, made);
      assertTrue(agent.stop().contains("stopped code=0"));
    }
    try (AgentProcess agent = agent()) {
      assertTrue(agent.awaitReady().contains("resumed"));
      assertEquals("1000", agent.query("select count(*) from t_far"));
      assertEquals("1000", agent.query("select count(*) from t_place"));
      assertEquals("5", agent.query("select count(*) from t_made"));
      assertEquals("made=" + made, agent.query(LOCATIONS));
      agent.execute("drop table t_made", "drop tablespace made");
      agent.stop();
    } finally {
      PostgresServer.deleteTree(made);
    }
  }

  @Test
  void tablespacesGoAndComeInAPlainDirectory() throws Exception {
    Path made = PostgresServer.temporaryDirectory();
    try (AgentProcess agent = agent("--eager")) {
      agent.awaitReady();
      tablespacesGoAndCome(agent, made);
      agent.execute("drop table t_made", "drop tablespace made");
      agent.stop();
    } finally {
      PostgresServer.deleteTree(made);
    }
  }

  private static final String LOCATIONS =
      "select string_agg(spcname || '=' || pg_tablespace_location(oid), ' ' order by spcname)"
          + " from pg_tablespace where spcname not like 'pg\\_%'";

  private static void tablespacesGoAndCome(AgentProcess agent, Path made) throws SQLException {
    String locations = agent.query(LOCATIONS);
    assertTrue(locations.matches("far=/.* place=pg_tblspc/\\d+ unused=pg_tblspc/\\d+"), locations);
    agent.execute(
        "drop tablespace unused",
        "create table t_more tablespace far as select 1 as id",
        "drop table t_more",
        "alter table t_far set tablespace pg_default",
        "drop tablespace far");
    SQLException used =
        assertThrows(SQLException.class, () -> agent.execute("drop tablespace place"));
    assertTrue(used.getMessage().contains("is not empty"), used.getMessage());
    agent.execute(
        "create tablespace made location '" + made + "'",
        "drop tablespace made",
        "create tablespace made location '" + made + "'",
        "create table t_made tablespace made as select generate_series(1, 5) as id",
        "create database fresh tablespace place",
        "alter database fresh set tablespace made",
        "alter database placed set tablespace pg_default",
        "alter table t_place set tablespace pg_default",
        "drop database fresh",
        "drop tablespace place",
        "checkpoint");
    assertEquals("made=" + made, agent.query(LOCATIONS));
    assertEquals("1000", agent.query("select count(*) from t_far"));
    assertEquals("1000", agent.query("select count(*) from t_place"));
  }

  @Test
  void preparesForSomethingElseToStart() throws Exception {
    try (AgentProcess agent = agent("--eager", "--prepare-only")) {
      String output = agent.allOutput();
      assertTrue(agent.process.waitFor(60, TimeUnit.SECONDS), output);
      assertEquals(0, agent.process.exitValue(), output);
    }
    try (PostgresServer compute = PostgresServer.builder(MAJOR).on(directory.resolve("data"))) {
      compute.start();
      assertEquals(expected, compute.query("postgres", SUM));
      assertEquals("1000", compute.query("postgres", "select count(*) from t_far"));
    }
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void aKilledAgentTakesPostgresWithItAndTheDirectoryIsRefused() throws Exception {
    try (AgentProcess agent = agent()) {
      agent.awaitReady();
      agent.execute("insert into t_far values (1)");
      agent.process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
      while (System.nanoTime() < deadline && answers(agent)) {
        Thread.onSpinWait();
      }
      assertFalse(answers(agent), "PostgreSQL outlived its agent");
      assertThrows(
          IOException.class, () -> Files.size(directory.resolve("data/base/5/PG_VERSION")));
    }
    try (AgentProcess again = agent()) {
      String output = again.allOutput();
      assertTrue(output.contains("was not stopped cleanly"), output);
      again.process.waitFor(10, TimeUnit.SECONDS);
      assertEquals(1, again.process.exitValue());
    }
  }

  private static boolean answers(AgentProcess agent) {
    try (var connection = agent.connect()) {
      return connection.isValid(1);
    } catch (SQLException e) {
      return false;
    }
  }

  /** As every container has that begins while the mount is there, until it takes it away. */
  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void aCopyOfTheMountInAnotherNamespaceHoldsNothingUp() throws Exception {
    Process other;
    try (AgentProcess agent = agent()) {
      agent.awaitReady();
      other = new ProcessBuilder("unshare", "--mount", "sh", "-c", "echo begun; exec cat").start();
      assertEquals("begun", other.inputReader().readLine());
      agent.execute("update t set body = 'changed' where id % 10 = 0", "create table mine(i int)");
      String output = agent.stop();
      assertTrue(output.contains("stopped code=0"), output);
    }
    String mounts = Files.readString(Path.of("/proc/" + other.pid() + "/mountinfo"));
    assertTrue(mounts.contains(directory.toString()), mounts);
    try (AgentProcess again = agent()) {
      assertTrue(again.awaitReady().contains("resumed"));
      assertEquals("10000", again.query("select count(*) from t where body = 'changed'"));
      assertEquals("0", again.query("select count(*) from mine"));
      again.stop();
    } finally {
      other.destroy();
    }
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void aDyingPostgresEndsTheAgentAndUnmounts() throws Exception {
    try (AgentProcess agent = agent()) {
      agent.awaitReady();
      String pid = Files.readAllLines(directory.resolve("data/postmaster.pid")).getFirst();
      new ProcessBuilder("kill", "-QUIT", pid).start().waitFor();
      String output = agent.allOutput();
      agent.process.waitFor(30, TimeUnit.SECONDS);
      assertTrue(output.contains("PostgreSQL ended by itself"), output);
      assertFalse(Files.readString(Path.of("/proc/self/mounts")).contains(directory.toString()));
    }
  }

  private static final int AGED_TRANSACTIONS = 20_000_000;

  /** Of a hundred transactions and multixacts each, all of them in old segments but few. */
  private static final String STATUS =
      "select string_agg(pg_xact_status((x * 199999)::text::xid8), ' ' order by x) || ' '"
          + " || string_agg(coalesce(extract(epoch from pg_xact_commit_timestamp("
          + "   (19500000 + x * 4999)::text::xid))::text, 'none'), ' ' order by x) || ' '"
          + " || string_agg((select string_agg(m.xid || m.mode, ',' order by m.xid::text::int)"
          + "   from pg_get_multixact_members((x * 2999)::text::xid) m), ' ' order by x)"
          + " from generate_series(1, 99) x";

  private static final String SEGMENTS =
      "select (select string_agg(f, ' ' order by f) from pg_ls_dir('pg_xact') f) || '; '"
          + " || (select string_agg(f, ' ' order by f) from pg_ls_dir('pg_multixact/offsets') f)"
          + " || '; '"
          + " || (select string_agg(f, ' ' order by f) from pg_ls_dir('pg_multixact/members') f)"
          + " || '; ' || (select string_agg(f, ' ' order by f) from pg_ls_dir('pg_commit_ts') f)";

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void oldTransactionStatusComesThroughTheMount() throws Exception {
    try (PostgresServer aged =
        PostgresServer.builder(MAJOR).setting("track_commit_timestamp", "on").start()) {
      aged.execute("postgres", "alter database template0 allow_connections true");
      aged.stop();
      AgedCluster.age(aged, AGED_TRANSACTIONS, 500_000, 300_000);
      aged.start();
      String status = aged.query("postgres", STATUS);
      String segments = aged.query("postgres", SEGMENTS);
      aged.stop();
      server.close();
      server = new DataDirectoryServer(aged.dataDirectory(), MAJOR);
      String[] settings = {"--setting", "track_commit_timestamp=on"};
      try (AgentProcess agent = agent(settings)) {
        agent.awaitReady();
        long atReady = server.slruPages.get();
        assertTrue(atReady < 10, atReady + " pages of SLRUs");
        assertEquals(segments, agent.query(SEGMENTS));
        assertEquals(status, agent.query(STATUS));
        assertTrue(server.slruPages.get() > 200, server.slruPages + " pages of SLRUs");
        assertTrue(agent.stop().contains("stopped code=0"));
      }
      String left;
      try (AgentProcess agent = agent(settings)) {
        assertTrue(agent.awaitReady().contains("resumed"));
        assertEquals(segments, agent.query(SEGMENTS));
        assertEquals(status, agent.query(STATUS));
        for (String database : List.of("template0", "template1", "postgres")) {
          agent.executeIn(database, "vacuum (freeze)");
        }
        left = agent.query(SEGMENTS);
        assertEquals("0013; 0004; 000B; 02FA", left);
        agent.execute("create table mine(id int)", "insert into mine values (1)");
        assertTrue(agent.stop().contains("stopped code=0"));
      }
      try (AgentProcess agent = agent(settings)) {
        assertTrue(agent.awaitReady().contains("resumed"));
        assertEquals(left, agent.query(SEGMENTS));
        assertEquals("1", agent.query("select count(*) from mine"));
        agent.stop();
      }
    }
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void aFullLocalDiskIsAnErrorOfTheStatementOnly() throws Exception {
    Path disk = Files.createDirectory(directory.resolveSibling("disk"));
    PostgresServer.own(disk);
    run("mount", "-t", "tmpfs", "-o", "size=1g", "disk", disk.toString());
    directory = disk.resolve("compute");
    try (AgentProcess agent =
        agent("--setting", "max_wal_size=48MB", "--setting", "min_wal_size=32MB")) {
      agent.awaitReady();
      long reserve = Files.getFileStore(disk).getTotalSpace() / 16;
      leave(disk, reserve + (24 << 20)); // a segment of WAL, too, has room in it
      assertEquals(expected, agent.query(SUM)); // 30 MB
      agent.execute("create table small as select generate_series(1, 1000) as id");
      SQLException refused =
          assertThrows(
              SQLException.class,
              () ->
                  agent.execute(
                      "create table filler as select repeat(md5(i::text), 20) as body"
                          + " from generate_series(1, 1000000) i"));
      assertEquals("53100", refused.getSQLState(), refused.getMessage()); // disk_full

      assertEquals(expected, agent.query(SUM));
      agent.execute("insert into small select generate_series(1, 1000)", "checkpoint");
      leave(disk, reserve - (1 << 20));
      refused =
          assertThrows(SQLException.class, () -> agent.execute("create table another(id int)"));
      assertEquals("53100", refused.getSQLState(), refused.getMessage());
      leave(disk, 4 * reserve);
      agent.execute("create table another as select * from small", "checkpoint");
      assertEquals("2000", agent.query("select count(*) from another"));
      String output = agent.stop();
      assertTrue(output.contains("stopped code=0"), output);
      assertFalse(output.contains("PANIC"), output);
    } finally {
      run("umount", disk.toString());
    }
  }

  /** Has so many bytes of a disk free. */
  private static void leave(Path disk, long bytes) throws Exception {
    Path other = disk.resolve("other");
    Files.deleteIfExists(other);
    long taken = Files.getFileStore(disk).getUsableSpace() - bytes;
    assertTrue(taken > 0, "no more than " + (taken + bytes) + " bytes are free");
    run("fallocate", "-l", "" + taken, other.toString());
  }

  private static void run(String... command) throws Exception {
    assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor());
  }

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void aFailingPageserverIsAnErrorOfTheQueryOnly() throws Exception {
    try (AgentProcess agent = agent()) {
      agent.awaitReady();
      assertEquals("1", agent.query("select 1"));
      server.failing = true;
      SQLException failure = assertThrows(SQLException.class, () -> agent.query(SUM));
      assertTrue(failure.getMessage().contains("could not read block"), failure.getMessage());
      server.failing = false;
      assertEquals(expected, agent.query(SUM));
    }
  }
}
