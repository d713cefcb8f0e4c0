package dev.varve.compute.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.compute.page.Network;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Stock PostgreSQL while its pageserver is silent, as one is whose machine hangs: connections stay
 * open and nothing comes. Reads wait for three minutes, so whatever ends in this class's time ends
 * because it was asked to.
 */
@Timeout(100)
@EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
class SilentPageserverIT {
  private static final int READERS = 20;

  /** Each is read once only: what was read is local. */
  private static final int TABLES = READERS + 8;

  /** Of a process that waits for pages; from 18 on others may read for it. */
  private static final Set<String> WAITS = Set.of("DataFileRead", "AioIoCompletion");

  private static final String WAIT = "select wait_event from pg_stat_activity where pid = %d";

  private int table;

  private String next() {
    return "select count(*) || ':' || sum(hashtext(t::text)) from c" + table++ + " t";
  }

  /** What a session is doing: a pid, and its query's future. */
  private record Reading(Connection connection, int process, Future<String> answer) {}

  private static String query(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean isRows = statement.execute(sql);
      while (!isRows) {
        isRows = statement.getMoreResults();
      }
      ResultSet rows = statement.getResultSet();
      return rows.next() ? String.valueOf(rows.getString(1)) : "";
    }
  }

  /** Begins to read, and returns when its process waits for pages. */
  private static Reading read(
      ExecutorService threads, Connection connection, String sql, Connection other)
      throws Exception {
    int process = Integer.parseInt(query(connection, "select pg_backend_pid()"));
    Future<String> answer = threads.submit(() -> query(connection, sql));
    while (!WAITS.contains(query(other, WAIT.formatted(process)))) {
      assertFalse(answer.isDone(), () -> "read, or failed to read: " + answer);
      TimeUnit.MILLISECONDS.sleep(1);
    }
    return new Reading(connection, process, answer);
  }

  private static void expectIoError(Future<String> answer) {
    Exception failure = assertThrows(Exception.class, answer::get);
    assertTrue(
        String.valueOf(failure.getMessage())
            .matches("(?s).*(could not read|terminating|canceling).*"),
        failure.toString());
  }

  private static List<String> tables(int count) {
    List<String> statements = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      statements.add(
          "create table c"
              + i
              + " as select i, repeat(md5((i + "
              + i
              + ")::text), 8) as body"
              + " from generate_series(1, 2000) i");
    }
    statements.add("vacuum analyze");
    return statements;
  }

  @ParameterizedTest
  @ValueSource(ints = {17, 18})
  void whatIsAskedToEndEnds(int major) throws Exception {
    Path directory = PostgresServer.temporaryDirectory().resolve("compute");
    try (PostgresServer original = PostgresServer.builder(major).start();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        ServerSocket nowhere = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      original.execute("postgres", tables(TABLES).toArray(String[]::new));
      List<String> expected = new ArrayList<>();
      for (table = 0; table < TABLES; ) {
        expected.add(original.query("postgres", next()));
      }
      original.stop();
      table = 0;
      try (DataDirectoryServer server = new DataDirectoryServer(original.dataDirectory(), major);
          Network network = new Network(port(server.address()))) {
        try (AgentProcess agent =
            new AgentProcess(
                network.address(),
                directory,
                original.binDirectory(),
                PostgresServer.UID,
                "--workers",
                "2")) {
          agent.awaitReady();
          List<Connection> sessions = new ArrayList<>();
          for (int i = 0; i < READERS + 2; i++) {
            sessions.add(agent.connect());
          }
          Connection other = sessions.removeLast();
          assertEquals(expected.get(table), query(other, next()));
          warm(other);
          for (int i = 0; i < TABLES; i++) { // catalogs are read, tables are not
            query(
                other,
                "explain select count(*) || ':' || sum(hashtext(t::text)) from c" + i + " t");
          }
          for (Connection session : sessions) {
            query(session, "set statement_timeout = 0; select count(*) from c0");
            query(session, "select relname, relfilenode from pg_class where relname like 'c%'");
          }

          network.silence();
          network.leadTo(nowhere.getLocalPort());

          // Times out by itself.
          Connection timed = sessions.removeLast();
          query(timed, "set statement_timeout = 1000; select 1");
          String sql = next();
          SQLException late = assertThrows(SQLException.class, () -> query(timed, sql));
          System.out.println("statement_timeout: " + late.getMessage());

          // More readers than the mount has threads, and what is local still answers.
          int first = table;
          List<Reading> readings = new ArrayList<>();
          for (Connection session : sessions) {
            readings.add(read(threads, session, next(), other));
          }
          assertEquals(expected.get(0).split(":", -1)[0], query(other, "select count(*) from c0"));

          Reading woken = readings.getFirst();
          kill("-USR1", woken.process);
          Reading cancelled = readings.removeLast();
          query(other, "select pg_cancel_backend(" + cancelled.process + ")");
          expectIoError(cancelled.answer);
          Reading terminated = readings.removeLast();
          query(other, "select pg_terminate_backend(" + terminated.process + ")");
          if (major < 18) { // from 18 on a session's end waits for the I/O workers it used
            expectIoError(terminated.answer);
          }
          assertFalse(woken.answer.isDone(), "a signal that means nothing failed a read");
          assertEquals("1", query(cancelled.connection, "select 1"));

          network.leadTo(port(server.address()));
          network.cut();
          for (int i = 0; i < readings.size(); i++) {
            assertEquals(expected.get(first + i), readings.get(i).answer.get());
          }
          expectIoError(terminated.answer);
          assertEquals(
              expected.get(first + READERS - 1),
              query(
                  cancelled.connection,
                  "select count(*) || ':' || sum(hashtext(t::text)) from c"
                      + (first + READERS - 1)
                      + " t"));

          // The end of everything, with somebody reading and something to be written back.
          query(other, "create table mine as select 1 as one; select 1");
          network.silence();
          network.leadTo(nowhere.getLocalPort());
          Reading last = read(threads, sessions.getFirst(), next(), other);
          String output = agent.stop();
          expectIoError(last.answer);
          assertTrue(output.contains("stopped code=0"), output);
          assertFalse(output.contains("did not stop"), output);
          assertFalse(
              Files.readString(Path.of("/proc/self/mounts")).contains(directory.toString()));
          assertTrue(
              output.lines().filter(line -> line.contains(" WARNING the page")).count() <= 1,
              output);
        }
        network.leadTo(port(server.address()));
        network.cut();
        try (AgentProcess agent =
            new AgentProcess(
                network.address(), directory, original.binDirectory(), PostgresServer.UID)) {
          assertTrue(agent.awaitReady().contains("resumed"));
          assertEquals("1", agent.query("select one from mine"));
          table--;
          assertEquals(expected.get(table), agent.query(next()));
          agent.stop();
        }
      }
    } finally {
      PostgresServer.deleteTree(directory.getParent());
    }
  }

  private static void warm(Connection connection) throws SQLException {
    query(connection, WAIT.formatted(0));
    query(connection, "select pg_cancel_backend(0)");
    query(connection, "select pg_terminate_backend(0)");
  }

  private static void kill(String signal, int process) throws Exception {
    assertEquals(0, new ProcessBuilder("kill", signal, "" + process).start().waitFor());
  }

  private static int port(String address) {
    return Integer.parseInt(address.substring(address.indexOf(':') + 1));
  }
}
