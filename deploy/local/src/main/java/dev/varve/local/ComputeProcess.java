package dev.varve.local;

import dev.varve.testkit.ChildProcess;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresBinaries;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;

/** A compute: the agent as a program of its own, with stock PostgreSQL under it. */
final class ComputeProcess {
  private static final long READY_SECONDS = 120;

  private final List<String> command;
  private final Path log;
  private final int port;
  private final PostgresServer server;
  private ChildProcess agent;

  private ComputeProcess(
      List<String> command, Path log, int port, PostgresServer server, ChildProcess agent) {
    this.command = command;
    this.log = log;
    this.port = port;
    this.server = server;
    this.agent = agent;
  }

  /** Starts the agent; it fetches, mounts and starts PostgreSQL by itself. */
  static ComputeProcess start(
      Path root, Options options, String pageserver, long lsn, Path directory, int port)
      throws IOException {
    Files.createDirectories(directory);
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElse("java"));
    if (hasClassCache(root)) {
      command.add("-XX:AOTCache=" + classCache(root));
    } else { // without profiles: they would have the compiler busy beside a start
      command.addAll(List.of("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTRecordTraining"));
      command.add("-XX:AOTCacheOutput=" + classCache(root));
    }
    command.addAll(
        List.of(
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx256m",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djdk.reflect.useNativeAccessorOnly=true",
            "-DZstdNativePath=" + zstd(root),
            "-cp",
            jar(root).toString(),
            "dev.varve.compute.agent.Agent",
            "--server",
            pageserver,
            "--timeline",
            PageserverProcess.TENANT + "/" + PageserverProcess.TIMELINE,
            "--lsn",
            String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL),
            "--directory",
            directory.toString(),
            "--postgres",
            PostgresBinaries.directory(options.major()).resolve("bin").toString(),
            "--port",
            Integer.toString(port)));
    if (PostgresServer.isRoot()) {
      command.addAll(List.of("--user", Integer.toString(PostgresServer.UID)));
    }
    if (options.eager()) {
      command.add("--eager");
    }
    Path log = directory.resolveSibling(directory.getFileName() + ".log");
    PostgresServer server = PostgresServer.connectedTo(options.major(), port);
    return new ComputeProcess(
        command, log, port, server, ChildProcess.start("the agent", log, command));
  }

  /**
   * Whether the agent's classes are there loaded and linked as a file, made of its jar as it is
   * now; otherwise the agent that is started next makes it when it stops (JEP 514). An empty file
   * is left by one that was killed while it made it.
   */
  static boolean hasClassCache(Path root) throws IOException {
    Path cache = classCache(root);
    return Files.exists(cache)
        && Files.size(cache) > 0
        && Files.getLastModifiedTime(jar(root)).compareTo(Files.getLastModifiedTime(cache)) <= 0;
  }

  private static Path classCache(Path root) {
    return root.resolve("deploy/local/target/agent.aot");
  }

  /** The agent's package. */
  static Path jar(Path root) throws IOException {
    return only(root.resolve("pageserver/compute/target"), "*-agent.jar");
  }

  private static Path zstd(Path root) throws IOException {
    return only(
        root.resolve("pageserver/compute/target/native/linux")
            .resolve(System.getProperty("os.arch")),
        "*.so");
  }

  private static Path only(Path directory, String glob) throws IOException {
    try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, glob)) {
      return found.iterator().next();
    } catch (NoSuchElementException e) {
      throw new IOException("no " + glob + " in " + directory + "; build first", e);
    }
  }

  int port() {
    return port;
  }

  /** The server, for comparing. */
  PostgresServer server() {
    return server;
  }

  long residentBytes() {
    return agent.residentBytes();
  }

  /** Asks until PostgreSQL answers. */
  String awaitQuery(String sql) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(READY_SECONDS);
    boolean listens = false;
    while (true) {
      try {
        // An attempt of the driver's takes a processor that what it waits for could use.
        if (!listens) {
          new Socket(InetAddress.getLoopbackAddress(), port).close();
          listens = true;
        }
        return query(sql);
      } catch (IOException | SQLException e) {
        agent.requireRunning();
        if (System.nanoTime() > deadline) {
          throw new IllegalStateException("no answer: " + e.getMessage() + "\n" + agent.log(), e);
        }
        Thread.sleep(3);
      }
    }
  }

  String query(String sql) throws SQLException {
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=postgres&sslmode=disable");
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      return rows.next() ? String.valueOf(rows.getString(1)) : "";
    }
  }

  void execute(String... statements) throws SQLException {
    server.execute("postgres", statements);
  }

  /** Stops the agent, and PostgreSQL with it, and starts both again on the same directory. */
  void restart() throws IOException, InterruptedException {
    agent.stop();
    agent = ChildProcess.start("the agent", log, command);
    awaitQuery("select 1");
  }

  /** All that the agent and PostgreSQL said. */
  String log() {
    return agent.log();
  }

  /** What the agent said of its times and pages. */
  List<String> report() {
    return agent
        .log()
        .lines()
        .filter(line -> line.startsWith("varve-agent:"))
        .map(line -> line.substring(12).strip())
        .toList();
  }

  void stop() throws InterruptedException {
    agent.stop();
  }
}
