package dev.varve.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A real PostgreSQL server for a test: {@code initdb}, start, stop, kill. It listens on 127.0.0.1
 * at a free port and trusts everybody unless a password is set. As root everything runs as {@link
 * #UID}, since PostgreSQL refuses root. Everything is stopped and removed on close, or when the JVM
 * ends.
 */
public final class PostgresServer implements AutoCloseable {
  /** Who runs PostgreSQL when the test runs as root: nobody. */
  public static final int UID = 65534;

  private static final long START_SECONDS = 60;
  private static final int PORT_ATTEMPTS = 5;

  private final int major;
  private final Path binDirectory;
  private final Path home;
  private final boolean ownsHome;
  private final Path dataDirectory;
  private final Map<String, String> settings;
  private final String superuser;
  private final @Nullable String password;
  private int port;
  private @Nullable Process process;
  private final Thread hook = new Thread(this::kill);

  private PostgresServer(Builder builder, Path home, boolean ownsHome, Path dataDirectory) {
    this.major = builder.major;
    this.binDirectory =
        builder.binDirectory == null
            ? PostgresBinaries.directory(builder.major).resolve("bin")
            : builder.binDirectory;
    this.home = home;
    this.ownsHome = ownsHome;
    this.dataDirectory = dataDirectory;
    this.settings = new LinkedHashMap<>(builder.settings);
    this.superuser = builder.superuser;
    this.port = builder.port;
    this.password = builder.password;
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** A server that someone else runs: for queries only. */
  public static PostgresServer connectedTo(int major, int port) {
    return builder(major).at(port);
  }

  private static PostgresServer connectedTo(Builder builder, int port) {
    Path nowhere = Path.of("/nonexistent");
    PostgresServer server = new PostgresServer(builder, nowhere, false, nowhere);
    server.port = port;
    return server;
  }

  public static Builder builder(int major) {
    return new Builder(major);
  }

  /** How a server is to be. */
  public static final class Builder {
    private final int major;
    private final List<String> initdb = new ArrayList<>();
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final Map<String, String> configuration = new LinkedHashMap<>();
    private String superuser = "postgres";
    private @Nullable String password;
    private boolean checksums;
    private @Nullable Path binDirectory;
    private int port;

    private Builder(int major) {
      this.major = major;
      settings.put("fsync", "off");
      settings.put("shared_buffers", "64MB");
      settings.put("wal_level", "replica");
      settings.put("max_wal_senders", "10");
      settings.put("max_replication_slots", "10");
      settings.put("max_prepared_transactions", "20");
      settings.put("log_min_messages", "warning");
    }

    public Builder checksums(boolean on) {
      checksums = on;
      return this;
    }

    /** The programs of another build of the same major. */
    public Builder binaries(Path directory) {
      binDirectory = directory;
      return this;
    }

    public Builder setting(String name, String value) {
      settings.put(name, value);
      return this;
    }

    /** A line of {@code postgresql.conf}, where {@link #setting} is an argument of the server. */
    public Builder configuration(String name, String value) {
      settings.remove(name);
      configuration.put(name, value);
      return this;
    }

    /** Instead of a free one. */
    public Builder port(int number) {
      port = number;
      return this;
    }

    /** Further arguments of {@code initdb}, such as {@code --wal-segsize=1}. */
    public Builder initdbArgument(String argument) {
      initdb.add(argument);
      return this;
    }

    /** The name of the superuser that {@code initdb} makes, instead of {@code postgres}. */
    public Builder superuser(String name) {
      superuser = name;
      return this;
    }

    /** The superuser has this password, asked for by SCRAM. */
    public Builder password(String secret) {
      password = secret;
      return this;
    }

    /** Makes a new cluster and starts it. */
    public PostgresServer start() {
      PostgresServer server = create();
      server.start();
      return server;
    }

    /** Makes a new cluster without starting it. */
    public PostgresServer create() {
      try {
        Path home = temporaryDirectory();
        PostgresServer server = new PostgresServer(this, home, true, home.resolve("data"));
        server.initdb(initdb, checksums);
        server.configure(configuration);
        return server;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** A server that someone else runs: for queries only. */
    public PostgresServer at(int port) {
      return connectedTo(this, port);
    }

    /** A server on a data directory that exists; it is not removed on close. Does not start it. */
    public PostgresServer on(Path dataDirectory) {
      try {
        return new PostgresServer(this, temporaryDirectory(), true, dataDirectory);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** A new directory below the temporary directory that PostgreSQL's user owns. */
  public static Path temporaryDirectory() throws IOException {
    Path directory = Files.createTempDirectory("varve-pg");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    own(directory);
    return directory;
  }

  /** Gives a file or directory to PostgreSQL's user; nothing happens when the test is not root. */
  public static void own(Path path) throws IOException {
    if (isRoot()) {
      Files.setAttribute(path, "unix:uid", UID);
      Files.setAttribute(path, "unix:gid", UID);
    }
  }

  public static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  /** {@code command} as PostgreSQL's user. */
  public static List<String> asPostgresUser(List<String> command) {
    List<String> whole = new ArrayList<>();
    if (isRoot()) {
      whole.addAll(List.of("setpriv", "--reuid=" + UID, "--regid=" + UID, "--clear-groups", "--"));
    }
    whole.addAll(command);
    return whole;
  }

  private void initdb(List<String> arguments, boolean checksums) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                binDirectory.resolve("initdb").toString(),
                "--pgdata=" + dataDirectory,
                "--username=" + superuser,
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--auth=" + (password == null ? "trust" : "scram-sha-256")));
    if (checksums) {
      command.add("--data-checksums");
    } else if (major >= 18) {
      command.add("--no-data-checksums");
    }
    if (password != null) {
      Path file = home.resolve("password");
      Files.writeString(file, password);
      own(file);
      command.add("--pwfile=" + file);
    }
    command.addAll(arguments);
    run(command);
    // Replication connections are local ones in initdb's default already; nothing to add.
  }

  private void configure(Map<String, String> configuration) throws IOException {
    StringBuilder lines = new StringBuilder();
    configuration.forEach((name, value) ->
        lines.append(name).append(" = '").append(value.replace("'", "''")).append("'\n"));
    Files.writeString(dataDirectory.resolve("postgresql.conf"), lines, StandardOpenOption.APPEND);
  }

  private void run(List<String> command) throws IOException {
    Path output = home.resolve("command.log");
    Process ran =
        new ProcessBuilder(asPostgresUser(command))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      if (ran.waitFor() != 0) {
        throw new IOException(command.getFirst() + " failed: " + Files.readString(output));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  /**
   * Starts the server and waits until it answers. The first start takes another port when someone
   * was faster to bind the chosen one; later starts keep theirs.
   */
  public void start() {
    boolean anyPort = port == 0;
    for (int attempt = 1; ; attempt++) {
      int logged = log().length();
      try {
        launch();
        awaitReady();
        return;
      } catch (IOException e) {
        boolean taken = log().substring(logged).contains("Address already in use");
        if (!anyPort || !taken || attempt == PORT_ATTEMPTS) {
          throw new UncheckedIOException(e);
        }
        kill();
        port = 0;
      }
    }
  }

  private void launch() throws IOException {
    if (port == 0) {
      port = FreePort.any();
    }
    List<String> command =
        new ArrayList<>(
            List.of(binDirectory.resolve("postgres").toString(), "-D", dataDirectory.toString()));
    Map<String, String> all = new LinkedHashMap<>(settings);
    all.put("port", Integer.toString(port));
    all.putIfAbsent("listen_addresses", "127.0.0.1");
    all.put("unix_socket_directories", "");
    all.forEach((name, value) -> {
      command.add("-c");
      command.add(name + "=" + value);
    });
    process =
        new ProcessBuilder(asPostgresUser(command))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(home.resolve("server.log").toFile()))
            .start();
  }

  /** Starts a server that ends by itself, as at a recovery target, and waits for that. */
  public void runToShutdown() throws IOException {
    launch();
    Process running = process;
    try {
      if (running == null || !running.waitFor(5, TimeUnit.MINUTES)) {
        kill();
        throw new IOException("PostgreSQL did not end by itself: " + log());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
    process = null;
  }

  private void awaitReady() throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    while (true) {
      try (Connection connection = connect("postgres")) {
        if (isOurs(connection)) {
          return;
        }
        throw new SQLException("another server answers at port " + port);
      } catch (SQLException e) {
        if (!isRunning() || System.nanoTime() > deadline) {
          throw new IOException("PostgreSQL did not start: " + e.getMessage() + "\n" + log(), e);
        }
        try {
          Thread.sleep(5);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw new IOException(interrupted);
        }
      }
    }
  }

  /** Whether the server at the port runs on our data directory. */
  private boolean isOurs(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("show data_directory")) {
      return rows.next()
          && Path.of(rows.getString(1)).equals(dataDirectory.toAbsolutePath().normalize());
    }
  }

  public boolean isRunning() {
    return process != null && process.isAlive();
  }

  public int major() {
    return major;
  }

  public int port() {
    return port;
  }

  public String superuser() {
    return superuser;
  }

  public Path dataDirectory() {
    return dataDirectory;
  }

  /** {@code bin/} of this major. */
  public Path binDirectory() {
    return binDirectory;
  }

  public String jdbcUrl(String database) {
    return "jdbc:postgresql://127.0.0.1:"
        + port
        + "/"
        + URLEncoder.encode(database, StandardCharsets.UTF_8);
  }

  /** Connects as the superuser. */
  public Connection connect(String database) throws SQLException {
    return connect(database, new Properties());
  }

  /** The same with further connection properties. */
  public Connection connect(String database, Properties more) throws SQLException {
    Properties properties = new Properties();
    properties.putAll(more);
    properties.setProperty("user", superuser);
    if (password != null) {
      properties.setProperty("password", password);
    }
    properties.setProperty("sslmode", "disable");
    return DriverManager.getConnection(jdbcUrl(database), properties);
  }

  /** Runs statements, each on its own, in one database. */
  public void execute(String database, String... statements) throws SQLException {
    try (Connection connection = connect(database);
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /** The first column of a query's first row, as text. */
  public String query(String database, String sql) throws SQLException {
    try (Connection connection = connect(database);
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      return rows.next() ? String.valueOf(rows.getString(1)) : "";
    }
  }

  /** The first column of a query's rows. */
  public List<String> column(String database, String sql) throws SQLException {
    try (Connection connection = connect(database);
        Statement statement = connection.createStatement()) {
      return column(statement, sql);
    }
  }

  /** The same in a session that is there. */
  public static List<String> column(Statement statement, String sql) throws SQLException {
    List<String> values = new ArrayList<>();
    try (ResultSet rows = statement.executeQuery(sql)) {
      while (rows.next()) {
        values.add(rows.getString(1));
      }
    }
    return values;
  }

  /** Where WAL ends now, as PostgreSQL writes LSNs. */
  public String currentLsn() throws SQLException {
    return query("postgres", "select pg_current_wal_flush_lsn()");
  }

  /** What the server wrote to its log since it was made. */
  public String log() {
    try {
      Path log = home.resolve("server.log");
      // Names in it may be of another encoding.
      return Files.exists(log) ? new String(Files.readAllBytes(log), StandardCharsets.UTF_8) : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Fast shutdown. */
  public void stop() {
    signal("INT");
  }

  /** Immediate shutdown, as in a crash. */
  public void stopImmediately() {
    signal("QUIT");
  }

  private void signal(String name) {
    Process running = process;
    if (running == null || !running.isAlive()) {
      return;
    }
    try {
      new ProcessBuilder("kill", "-" + name, Long.toString(running.pid())).start().waitFor();
      if (!running.waitFor(60, TimeUnit.SECONDS)) {
        kill();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    process = null;
  }

  /** Kills the postmaster; its children notice and end. */
  public void kill() {
    Process running = process;
    if (running != null) {
      running.descendants().forEach(ProcessHandle::destroyForcibly);
      running.destroyForcibly();
      try {
        running.waitFor(10, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      process = null;
    }
  }

  public void restart() {
    stop();
    start();
  }

  /** Adds or changes a setting for the next start. */
  public void setting(String name, String value) {
    settings.put(name, value);
  }

  @Override
  public void close() {
    stop();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is going down and runs the hook itself.
    }
    if (ownsHome) {
      deleteTree(home);
    }
  }

  /** Removes a directory and what is in it, as far as it can. */
  public static void deleteTree(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      System.err.println("left behind: " + directory + ": " + e);
    }
  }
}
