package dev.varve.local;

import dev.varve.testkit.AgentJvm;
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
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;

/** A compute: the agent as a program of its own, with stock PostgreSQL under it. */
public final class ComputeProcess {
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

  /**
   * What an agent is started with.
   *
   * @param timeline as {@code TENANT/TIMELINE}
   * @param lsn as PostgreSQL writes it
   * @param more further arguments
   */
  public record Launch(
      int major,
      String pageserver,
      String timeline,
      String lsn,
      Path directory,
      int port,
      List<String> more) {}

  /** Starts the agent; it fetches, mounts and starts PostgreSQL by itself. */
  static ComputeProcess start(
      Path root, Options options, String pageserver, long lsn, Path directory, int port)
      throws IOException {
    List<String> classCache =
        hasClassCache(root)
            ? List.of("-XX:AOTCache=" + classCache(root))
            // Without profiles: they would have the compiler busy beside a start.
            : List.of(
                "-XX:+UnlockDiagnosticVMOptions",
                "-XX:-AOTRecordTraining",
                "-XX:AOTCacheOutput=" + classCache(root));
    Launch launch =
        new Launch(
            options.major(),
            pageserver,
            PageserverProcess.TENANT + "/" + PageserverProcess.TIMELINE,
            String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL),
            directory,
            port,
            options.eager() ? List.of("--eager") : List.of());
    return start(
        command(root, classCache, launch),
        launch,
        PostgresServer.connectedTo(options.major(), port));
  }

  /**
   * The same for any timeline. It makes no class cache, so that several can be started at once.
   *
   * @param server how to connect to it
   */
  public static ComputeProcess start(Path root, Launch launch, PostgresServer server)
      throws IOException {
    List<String> classCache =
        hasClassCache(root) ? List.of("-XX:AOTCache=" + classCache(root)) : List.of();
    return start(command(root, classCache, launch), launch, server);
  }

  private static ComputeProcess start(List<String> command, Launch launch, PostgresServer server)
      throws IOException {
    Path directory = launch.directory();
    Files.createDirectories(directory);
    Path log = directory.resolveSibling(directory.getFileName() + ".log");
    return new ComputeProcess(
        command, log, launch.port(), server, ChildProcess.start("the agent", log, command));
  }

  private static List<String> command(Path root, List<String> classCache, Launch launch)
      throws IOException {
    List<String> command = AgentJvm.command("-XX:TieredStopAtLevel=1");
    command.addAll(classCache);
    command.addAll(
        List.of(
            "-Djdk.reflect.useNativeAccessorOnly=true",
            "-DZstdNativePath=" + zstd(root),
            "-cp",
            jar(root).toString(),
            "dev.varve.compute.agent.Agent",
            "--server",
            launch.pageserver(),
            "--timeline",
            launch.timeline(),
            "--lsn",
            launch.lsn(),
            "--directory",
            launch.directory().toString(),
            "--postgres",
            PostgresBinaries.directory(launch.major()).resolve("bin").toString(),
            "--port",
            Integer.toString(launch.port())));
    if (PostgresServer.isRoot()) {
      command.addAll(List.of("--user", Integer.toString(PostgresServer.UID)));
    }
    command.addAll(launch.more());
    return command;
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
  public PostgresServer server() {
    return server;
  }

  /** Waits until the agent has ended by itself, as one that only prepares does. */
  public void awaitEnd() throws InterruptedException {
    agent.awaitEnd();
  }

  long residentBytes() {
    return agent.residentBytes();
  }

  /** Asks until PostgreSQL answers. */
  public String awaitQuery(String sql) throws InterruptedException {
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
    return server.query("postgres", sql);
  }

  void execute(String... statements) throws SQLException {
    server.execute("postgres", statements);
  }

  /** Stops the agent, and PostgreSQL with it, and starts both again on the same directory. */
  public void restart() throws IOException, InterruptedException {
    agent.stop();
    agent = ChildProcess.start("the agent", log, command);
    awaitQuery("select 1");
  }

  /** All that the agent and PostgreSQL said. */
  public String log() {
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

  public void stop() throws InterruptedException {
    agent.stop();
  }
}
