package dev.varve.compute.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A copy of a subscriber, beside the real publisher: it takes and drops nothing that is not its.
 */
final class CopyIsolationIT {
  private static final String WORKERS =
      "select count(*) from pg_stat_activity where backend_type like 'logical replication%'";
  private static final String SLOTS =
      "select string_agg(slot_name || ' ' || confirmed_flush_lsn, ', ' order by slot_name)"
          + " from pg_replication_slots";
  private static final String SYNCED =
      "select bool_and(srsubstate = 'r') and count(*) = 2 from pg_subscription_rel";

  private PostgresServer publisher;
  private PostgresServer subscriber;

  private String connection() {
    return "host=127.0.0.1 user=app password=secret dbname=postgres port=" + publisher.port();
  }

  /** Too long for a row, and of random digits, which cannot be compressed. */
  private String longConnection() {
    StringBuilder digits = new StringBuilder();
    Random random = new Random(7);
    while (digits.length() < 5000) {
      digits.append(Long.toHexString(random.nextLong()));
    }
    return connection() + " options=''-c my.padding=" + digits + "''";
  }

  private static List<Path> filesWithPassword(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      List<Path> found = new ArrayList<>();
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String bytes = Files.readString(file, StandardCharsets.ISO_8859_1);
        if (bytes.contains("user=app password=secret")) {
          found.add(file);
        }
      }
      return found;
    }
  }

  /**
   * Three subscriptions: of a superuser, of an ordinary role, and one whose table never gets in
   * sync, so that it has a slot for that table, too.
   */
  private void makeServers(int major) throws Exception {
    publisher = PostgresServer.builder(major).setting("wal_level", "logical").start();
    publisher.execute(
        "postgres",
        "create role app login superuser password 'secret'",
        "create table t (id int primary key)",
        "create table u (id int primary key)",
        "create table w (id int primary key)",
        "insert into t select generate_series(1, 100)",
        "insert into w values (1)",
        "create publication p for table t",
        "create publication q for table u",
        "create publication r for table w");
    subscriber = PostgresServer.builder(major).checksums(true).start();
    subscriber.execute(
        "postgres",
        "create database other",
        "create role ordinary login",
        "create table t (id int primary key)",
        "create table u (id int primary key)",
        "create subscription s connection '" + connection() + "' publication p",
        "create subscription o connection '" + connection() + "' publication q");
    await(subscriber, SYNCED);
    if (major >= 16) {
      subscriber.execute("postgres", "grant pg_create_subscription to ordinary");
    }
    subscriber.execute(
        "postgres",
        major == 15
            ? "alter role ordinary superuser"
            : "grant create on database postgres to ordinary",
        "alter subscription o owner to ordinary");
    if (major == 15) {
      subscriber.execute("postgres", "alter role ordinary nosuperuser");
    }
    // The row that is there already stops the copy of the table again and again.
    subscriber.execute(
        "other",
        "create table w (id int primary key)",
        "insert into w values (1)",
        "create subscription never connection '" + connection() + "' publication r");
    await(publisher, "select count(*) = 4 from pg_replication_slots");
    subscriber.execute("other", "alter subscription never disable");
    await(
        subscriber,
        "select count(*) = 0 from pg_stat_subscription where subname = 'never'"
            + " and pid is not null");
    subscriber.execute("postgres", "vacuum full pg_subscription");
    // What an old version and a long one leave behind: on the page, and in the TOAST table.
    String change = "alter subscription never connection '%s'";
    subscriber.execute("other", change.formatted(longConnection()), "vacuum pg_subscription");
    subscriber.execute("other", change.formatted(connection()), "vacuum pg_subscription");
    subscriber.execute(
        "other",
        change.formatted(longConnection()),
        change.formatted(connection() + " connect_timeout=9"),
        change.formatted(longConnection()));
    subscriber.stop();
    await(publisher, "select count(*) = 0 from pg_stat_replication");
  }

  private interface Query {
    String answer() throws SQLException;
  }

  private static void await(PostgresServer server, String condition) throws SQLException {
    await(() -> server.query("postgres", condition));
  }

  private static void await(Query condition) throws SQLException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.answer().equals("t")) {
      assertTrue(System.nanoTime() < deadline, "in time");
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  private AgentProcess agent(DataDirectoryServer server, Path directory, String... more)
      throws IOException {
    return new AgentProcess(
        server.address(), directory, subscriber.binDirectory(), PostgresServer.UID, more);
  }

  @ParameterizedTest
  @ValueSource(ints = {15, 16, 18}) // 17 has the rows of 18
  void takesNoRowsAndDropsNoSlots(int major) throws Exception {
    Path home = PostgresServer.temporaryDirectory();
    try {
      makeServers(major);
      String slots = publisher.query("postgres", SLOTS);
      publisher.execute("postgres", "insert into t select generate_series(101, 200)");
      try (DataDirectoryServer server =
          new DataDirectoryServer(subscriber.dataDirectory(), major)) {
        try (AgentProcess agent = agent(server, home.resolve("copy"), "--eager")) {
          agent.awaitReady();
          assertEquals("100", agent.query("select count(*) from t"));
          assertEquals(
              "3", agent.query("select count(*) from pg_subscription where subslotname is null"));
          assertEquals("0", agent.query("select count(*) from pg_subscription where subenabled"));
          assertEquals(
              "0",
              agent.query(
                  "select count(*) from pg_subscription where subconninfo like '%secret%'"));
          assertEquals(
              "{p} off",
              agent.query(
                  "select subpublications::text || ' ' || subsynccommit from"
                      + " pg_subscription where subname = 's'"));
          assertFalse(filesWithPassword(subscriber.dataDirectory()).isEmpty());
          // The WAL is the original's here; that of an image is made for it.
          assertEquals(List.of(), filesWithPassword(home.resolve("copy/data/global")));
          assertEquals("0", agent.query(WORKERS));
          assertEquals("0", agent.query("show max_logical_replication_workers"));
          assertThrows(SQLException.class, () -> agent.execute("alter subscription s enable"));
          assertThrows(
              SQLException.class, () -> agent.execute("alter subscription s refresh publication"));
          agent.execute("drop subscription s", "drop subscription o");
          agent.executeIn("other", "drop subscription never");
          assertEquals("0", agent.query("select count(*) from pg_subscription"));
          agent.execute("create table mine (id int)");
          assertEquals("0", agent.query(WORKERS));
          String output = agent.stop();
          assertFalse(output.contains("page verification failed"), output);
        }
        assertEquals(slots, publisher.query("postgres", SLOTS));
        assertEquals("", publisher.query("postgres", "select pid from pg_stat_replication"));
      }
      subscriber.start();
      await(subscriber, "select count(*) = 200 from t");
      subscriber.stop();

      // On purpose a copy is a subscriber, and has what its original then lacks.
      publisher.execute("postgres", "insert into t select generate_series(201, 300)");
      try (DataDirectoryServer server = new DataDirectoryServer(subscriber.dataDirectory(), major);
          AgentProcess agent =
              agent(server, home.resolve("second"), "--eager", "--allow", "logical-replication")) {
        agent.awaitReady();
        await(() -> agent.query("select count(*) = 300 from t"));
        agent.stop();
      }
    } finally {
      if (subscriber != null) {
        subscriber.close();
      }
      publisher.close();
      PostgresServer.deleteTree(home);
    }
  }
}
