package dev.varve.local.zoo;

import dev.varve.local.zoo.Animal.Moment;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.ServerBackup;
import dev.varve.testkit.TableHashes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** What one animal lives in: its servers and directories. Everything goes on close. */
final class Habitat implements AutoCloseable {
  /** Where the servers listen besides, so that a rule for 127.0.0.1 does not let everybody in. */
  static final String SECOND_ADDRESS = "127.0.0.2";

  private static final int MOST_DATABASES = 20;

  private final Animal animal;
  private final int major;
  private final Path home;
  private final Deque<AutoCloseable> closed = new ArrayDeque<>();
  private final List<Connection> sessions = new ArrayList<>();
  private @Nullable PostgresServer primary;
  private @Nullable PostgresServer follower;
  private @Nullable PostgresServer publisher;
  private @Nullable PostgresServer compute;
  private int directories;

  Habitat(Animal animal, int major, Path home) {
    this.animal = animal;
    this.major = major;
    this.home = home;
  }

  Animal animal() {
    return animal;
  }

  int major() {
    return major;
  }

  Path home() {
    return home;
  }

  /** How servers of this animal are made. */
  PostgresServer.Builder builder() throws IOException {
    PostgresServer.Builder builder =
        animal
            .server(major)
            .setting("autovacuum", "off") // it would write between the look and its LSN
            .setting("wal_keep_size", "4GB")
            .setting("shared_buffers", "32MB")
            .setting("listen_addresses", "127.0.0.1," + SECOND_ADDRESS)
            .port(FreePort.reserved());
    animal.shape(builder);
    return builder;
  }

  /** Makes the cluster and starts it. */
  void create() throws Exception {
    PostgresServer server = builder().create();
    own(server);
    primary = server;
    // Password logins, as from another machine.
    append(
        server.dataDirectory().resolve("pg_hba.conf"),
        "host all all " + SECOND_ADDRESS + "/32 md5\n");
    animal.run(Moment.CONFIGURED, this);
    server.start();
  }

  PostgresServer primary() {
    if (primary == null) {
      throw new IllegalStateException("there is no primary yet");
    }
    return primary;
  }

  /** Another server is the primary from now on. */
  void primary(PostgresServer server) {
    primary = server;
  }

  /** The server that the pageserver is attached to: the primary, or a standby of it. */
  PostgresServer source() {
    return follower == null ? primary() : follower;
  }

  /** The pageserver is attached to this standby of the primary. */
  void follower(PostgresServer standby) {
    follower = standby;
  }

  /** Whom the primary has a subscription at. */
  PostgresServer publisher() {
    if (publisher == null) {
      throw new IllegalStateException("there is no publisher");
    }
    return publisher;
  }

  void publisher(PostgresServer server) {
    publisher = own(server);
  }

  /** The compute, while it is compared. */
  PostgresServer compute() {
    if (compute == null) {
      throw new IllegalStateException("there is no compute");
    }
    return compute;
  }

  void compute(PostgresServer server) {
    compute = server;
  }

  /** Something that is closed with the habitat, the last one first. */
  <T extends AutoCloseable> T own(T resource) {
    closed.push(resource);
    return resource;
  }

  /** Runs statements on the primary, in {@code postgres}. */
  void execute(String... statements) throws SQLException {
    primary().execute("postgres", statements);
  }

  void executeIn(String database, String... statements) throws SQLException {
    primary().execute(database, statements);
  }

  String query(String sql) throws SQLException {
    return primary().query("postgres", sql);
  }

  /** A statement in a session of the primary that stays open until the habitat is closed. */
  Statement openStatement() throws SQLException {
    Connection session = own(primary().connect("postgres"));
    sessions.add(session);
    return own(session.createStatement());
  }

  /** Ends them: what is temporary goes by transactions of its own. */
  void endSessions() throws Exception {
    for (Connection session : sessions) {
      session.close();
    }
    await(
        primary(),
        "select count(*) = 1 from pg_stat_activity where backend_type = 'client backend'",
        "the sessions ended");
  }

  /** A new directory of PostgreSQL's user. */
  Path directory(String name) throws IOException {
    Path directory = home.resolve(name);
    Files.createDirectories(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    PostgresServer.own(directory);
    return directory;
  }

  /** A file of PostgreSQL's user. */
  static void write(Path file, String text) throws IOException {
    Files.writeString(file, text);
    PostgresServer.own(file);
  }

  static void append(Path file, String text) throws IOException {
    Files.writeString(file, text, StandardOpenOption.APPEND);
  }

  /** A stopped server on a new base backup of another. */
  PostgresServer backupOf(PostgresServer server) throws IOException {
    directories++;
    Path data = ServerBackup.take(server, directory("backup-" + directories));
    return own(builder().on(data));
  }

  /** A running standby of a server. */
  PostgresServer standbyOf(PostgresServer server) throws IOException {
    return standbyOf(server, Map.of());
  }

  /** The same with further settings. */
  PostgresServer standbyOf(PostgresServer server, Map<String, String> settings) throws IOException {
    PostgresServer standby = backupOf(server);
    settings.forEach(standby::setting);
    write(standby.dataDirectory().resolve("standby.signal"), "");
    standby.setting(
        "primary_conninfo",
        "host=127.0.0.1 port="
            + server.port()
            + " user='"
            + server.superuser().replace("\\", "\\\\").replace("'", "\\'")
            + "' dbname=postgres sslmode=disable");
    standby.start();
    return standby;
  }

  /** Has a standby take the primary's place. */
  void promote() throws Exception {
    PostgresServer standby = standbyOf(primary());
    await(
        standby,
        "select pg_last_wal_replay_lsn() >= '" + primary().currentLsn() + "'::pg_lsn",
        "the standby caught up");
    primary().stop();
    standby.query("postgres", "select pg_promote(true)");
    await(standby, "select not pg_is_in_recovery()", "the standby is promoted");
    primary = standby;
  }

  /** Waits until a query says true. */
  static void await(PostgresServer server, String sql, String what) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (!server.query("postgres", sql).equals("t")) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("waited in vain until " + what);
      }
      Thread.sleep(10);
    }
  }

  /** The databases that can be connected to; some of them, where there are very many. */
  static List<String> databases(PostgresServer server) throws SQLException {
    List<String> all = TableHashes.databases(server);
    int every = 1 + all.size() / MOST_DATABASES;
    return IntStream.range(0, all.size())
        .filter(i -> i % every == all.indexOf("postgres") % every)
        .mapToObj(all::get)
        .toList();
  }

  @Override
  public void close() {
    while (!closed.isEmpty()) {
      try {
        closed.pop().close();
      } catch (Exception e) {
        System.err.println(animal.name() + ": " + e);
      }
    }
  }
}
