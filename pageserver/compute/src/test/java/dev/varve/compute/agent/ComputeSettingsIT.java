package dev.varve.compute.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real computes of clusters that ask for something of whoever starts them. */
final class ComputeSettingsIT {
  /** What the file says: the driver has a time zone and a style of its own. */
  private static final String APPLIED =
      "select setting from pg_file_settings where name = '%s' and applied";

  private static final int PREPARED = 120;
  private static final int ORIGINS = 15;
  private static final int PREDICATE_LOCKS = 40_000;

  private static AgentProcess agent(
      DataDirectoryServer server, Path directory, PostgresServer original, String... more)
      throws IOException {
    List<String> all = new ArrayList<>(List.of(more));
    all.add("--eager");
    return new AgentProcess(
        server.address(),
        directory,
        original.binDirectory(),
        PostgresServer.UID,
        all.toArray(String[]::new));
  }

  /** Large segments, many prepared transactions with many locks, many replication origins. */
  private static PostgresServer demanding(int major) throws SQLException {
    PostgresServer server =
        PostgresServer.builder(major)
            .initdbArgument("--wal-segsize=64")
            .setting("max_prepared_transactions", "" + (PREPARED + 10))
            .setting("max_pred_locks_per_transaction", "1000")
            .setting("max_pred_locks_per_relation", "100000")
            .setting("max_pred_locks_per_page", "10000")
            .setting(
                major >= 18 ? "max_active_replication_origins" : "max_replication_slots",
                "" + (ORIGINS + 5))
            .start();
    server.execute(
        "postgres",
        "create table t (id int primary key)",
        "insert into t select generate_series(1, " + PREDICATE_LOCKS + ")",
        "vacuum analyze t",
        "do $$ begin for i in 1.."
            + ORIGINS
            + " loop perform pg_replication_origin_create('o' || i);"
            + " perform pg_replication_origin_advance('o' || i, '0/1234'); end loop; end $$");
    for (int i = 0; i < PREPARED; i++) {
      server.execute(
          "postgres",
          "begin",
          "insert into t values (" + -i + ")",
          "prepare transaction 'x" + i + "'");
    }
    server.execute(
        "postgres",
        "set enable_seqscan = off",
        "set enable_bitmapscan = off",
        "set enable_indexonlyscan = off",
        "begin isolation level serializable",
        "select sum(id) from t where id > 0", // a lock for each row
        "insert into t values (-1000)",
        "prepare transaction 'serializable'");
    server.stop();
    return server;
  }

  @ParameterizedTest
  @ValueSource(ints = {15, 18})
  void startWithWhatTheDataNeed(int major) throws Exception {
    Path home = PostgresServer.temporaryDirectory();
    try (PostgresServer original = demanding(major);
        DataDirectoryServer server = new DataDirectoryServer(original.dataDirectory(), major)) {
      try (AgentProcess agent = agent(server, home.resolve("plain"), original)) {
        agent.awaitReady();
        assertEquals("" + (PREPARED + 1), agent.query("select count(*) from pg_prepared_xacts"));
        assertEquals(
            "" + ORIGINS, agent.query("select count(*) from pg_replication_origin_status"));
        agent.execute("commit prepared 'x1'", "rollback prepared 'serializable'", "checkpoint");
        agent.stop();
      }
      // What a user asks for is raised to that.
      try (AgentProcess agent =
          agent(
              server,
              home.resolve("small"),
              original,
              "--setting",
              "Min_Wal_Size=32MB",
              "--setting",
              "max_wal_size=64",
              "--setting",
              "max_prepared_transactions=0",
              "--setting",
              "max_connections=3",
              "--setting",
              "max_locks_per_transaction=10",
              "--setting",
              "max_pred_locks_per_transaction=10",
              "--setting",
              "wal_level=minimal",
              "--setting",
              (major >= 18 ? "max_active_replication_origins" : "max_replication_slots") + "=1")) {
        agent.awaitReady();
        assertEquals("128MB", agent.query("show min_wal_size"));
        assertEquals("" + (PREPARED + 1), agent.query("show max_prepared_transactions"));
        assertEquals(
            "" + ORIGINS, agent.query("select count(*) from pg_replication_origin_status"));
        String output = agent.stop();
        assertTrue(output.contains("stopped code=0"), output);
      }
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  @Test
  void areTheOriginalsAndItsRolesLogIn() throws Exception {
    // A Unix socket's path would be too long.
    Path home = PostgresServer.temporaryDirectory();
    Path directory = home.resolve("a".repeat(100));
    PostgresServer original = PostgresServer.builder(17).start();
    original.execute(
        "postgres",
        "set password_encryption = 'md5'",
        "create role older login password 'secret'",
        "set password_encryption = 'scram-sha-256'",
        "create role newer login password 'secret'");
    original.stop();
    ExpectedLog.containing("left out: [lc_time, of_a_later_minor]");
    try (DataDirectoryServer server = new DataDirectoryServer(original.dataDirectory(), 17)) {
      server.settings.put("default_text_search_config", "german");
      server.settings.put("DateStyle", "SQL, DMY");
      server.settings.put("search_path", "\"$user\", public, \"it's\"");
      server.settings.put("TimeZone", "Asia/Tokyo");
      server.settings.put("some_extension.pattern", "\\d+\\'\n");
      server.settings.put("lc_time", "xx_XX.UTF-8");
      server.settings.put("lc_numeric", "C.utf8");
      server.settings.put("of_a_later_minor", "on");
      server.settings.put("shared_preload_libraries", "pg_stat_statements");
      server.settings.put("session_preload_libraries", "not_there");
      String[] more = {"--setting", "timezone=Europe/Rome", "--hba", "host all guest all trust"};
      try (AgentProcess agent = agent(server, directory, original, more)) {
        agent.awaitReady();
        assertEquals("'haus':2", agent.query("select to_tsvector('ein Haus')"));
        assertEquals("SQL, DMY", agent.query(APPLIED.formatted("datestyle")));
        assertEquals("\"$user\", public, \"it's\"", agent.query("show search_path"));
        assertEquals("Europe/Rome", agent.query(APPLIED.formatted("timezone")));
        assertEquals("\\d+\\'\n", agent.query("show some_extension.pattern"));
        assertEquals("C.utf8", agent.query("show lc_numeric"));
        assertEquals("C", agent.query("show lc_time"));
        assertEquals("", agent.query("show shared_preload_libraries"));
        assertEquals("", agent.query("show session_preload_libraries"));
        for (String role : List.of("older", "newer")) {
          assertEquals(role, user(agent.port, role, "secret"));
          assertThrows(SQLException.class, () -> user(agent.port, role, "wrong"));
        }
        agent.execute("create role guest login");
        assertEquals("guest", user(agent.port, "guest", "none"));
        String output = agent.stop();
        assertTrue(output.contains("held back: shared_preload_libraries"), output);
        assertTrue(output.contains("left out: [lc_time, of_a_later_minor]"), output);
      }
      server.settings.remove("session_preload_libraries");
      try (AgentProcess agent =
          agent(
              server,
              home.resolve("b"),
              original,
              "--allow",
              "preloaded-libraries, archiving",
              "--setting",
              "archive_mode=on",
              "--setting",
              "archive_command=/bin/true")) {
        agent.awaitReady();
        assertEquals("pg_stat_statements", agent.query("show shared_preload_libraries"));
        assertEquals("on", agent.query("show archive_mode"));
        agent.stop();
      }
      try (AgentProcess agent =
          agent(server, home.resolve("c"), original, "--setting", "archive_mode=on")) {
        String output = agent.allOutput();
        assertTrue(output.contains("allow it with archiving"), output);
      }
    } finally {
      original.close();
      PostgresServer.deleteTree(home);
    }
  }

  /** Logs in from an address that is not trusted. */
  private static String user(int port, String role, String password) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", role);
    properties.setProperty("password", password);
    properties.setProperty("sslmode", "disable");
    properties.setProperty("localSocketAddress", "127.0.0.2");
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:" + port + "/postgres", properties);
        Statement statement = connection.createStatement();
        var rows = statement.executeQuery("select current_user")) {
      rows.next();
      return rows.getString(1);
    }
  }
}
