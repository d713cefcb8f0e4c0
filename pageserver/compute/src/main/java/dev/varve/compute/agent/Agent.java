package dev.varve.compute.agent;

import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.fuse.Libc;
import dev.varve.compute.fuse.ProcessOwner;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.image.GrpcImage;
import dev.varve.compute.mount.MountCounters;
import dev.varve.compute.page.GrpcPageSource;
import dev.varve.compute.page.PageserverChannel;
import dev.varve.compute.page.PageserverConnection;
import dev.varve.compute.page.ShardedPageSource;
import dev.varve.compute.settings.OriginalSettings;
import dev.varve.compute.settings.ServerOptions;
import dev.varve.compute.settings.ServerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The agent as a process of its own: image, layout, mount, PostgreSQL, until one of them ends.
 * SIGTERM is a fast shutdown and a clean unmount. Exit code: PostgreSQL's, 70 after a failure of
 * the mount, 64 for a wrong command line, 1 when the start failed.
 */
public final class Agent {
  private static final Duration IMAGE_LIMIT = Duration.ofMinutes(2);
  private static final long READY_SECONDS = 300;
  private static final int EXIT_USAGE = 64;

  /** Of the fields behind the name in /proc/self/stat, the start in hundredths of a second. */
  private static final int STAT_START = 19;

  private static final Logger LOG = Logger.getLogger(Agent.class.getName());

  private Agent() {}

  public static void main(String[] arguments) {
    System.setProperty(
        "java.util.logging.SimpleFormatter.format", "%1$tF %1$tT.%1$tL %4$s %5$s%6$s%n");
    UncaughtFailures.install();
    AgentOptions options;
    try {
      options = AgentOptions.parse(arguments);
    } catch (AgentException e) {
      System.err.println("varve-agent: " + e.getMessage());
      System.exit(EXIT_USAGE);
      return;
    }
    Thread.ofPlatform().daemon().name("link-libc").start(Libc::link);
    int code;
    try {
      code = run(options);
    } catch (IOException e) {
      System.err.println("varve-agent: " + FailureText.of(e));
      code = 1;
    } catch (InterruptedException e) {
      code = 1;
    }
    Runtime.getRuntime().halt(code);
  }

  private static int run(AgentOptions options) throws IOException, InterruptedException {
    long start = System.nanoTime();
    boolean root = ProcessOwner.user() == 0;
    FuseOptions fuse =
        new FuseOptions(
            options.workers(),
            FuseOptions.DEFAULT.maxTransferBytes(),
            !options.writeThrough(),
            FuseOptions.DEFAULT.readAheadKilobytes());
    VolumeOptions wanted =
        new VolumeOptions(
            new ComputeDirectory(options.directory()),
            options.timeline(),
            options.lsn(),
            options.eager(),
            options.user(),
            options.group(),
            root,
            fuse,
            options.allowed());
    Map<String, PageserverConnection> open = new HashMap<>();
    IntFunction<PageserverConnection> connections =
        shard ->
            open.computeIfAbsent(
                PageserverChannel.address(options.server(), shard), PageserverConnection::to);
    try {
      return run(options, wanted, connections, start);
    } finally {
      open.values().forEach(PageserverConnection::close);
    }
  }

  private static int run(
      AgentOptions options,
      VolumeOptions wanted,
      IntFunction<PageserverConnection> connections,
      long start)
      throws IOException, InterruptedException {
    String token = System.getenv("VARVE_TOKEN");
    AtomicLong imaged = new AtomicLong(start);
    Volume volume =
        Volume.open(
            wanted,
            () -> {
              GrpcImage image =
                  GrpcImage.request(
                      connections.apply(0),
                      token,
                      options.timeline(),
                      options.lsn(),
                      !options.eager(),
                      IMAGE_LIMIT);
              imaged.set(System.nanoTime());
              return image;
            },
            header ->
                ShardedPageSource.of(
                    header,
                    options.timeline(),
                    (shard, timeline) ->
                        new GrpcPageSource(
                            connections.apply(shard),
                            token,
                            timeline,
                            header.getLsn(),
                            options.readTimeout())));
    long mounted = System.nanoTime();
    configure(options, volume, wanted.chown());
    if (options.prepareOnly()) {
      status(volume, "prepared");
      volume.close();
      return 0;
    }
    return serve(options, volume, wanted.chown(), new long[] {start, imaged.get(), mounted});
  }

  /** Writes the configuration, without those settings of the original that PostgreSQL refuses. */
  private static void configure(AgentOptions options, Volume volume, boolean root)
      throws IOException, InterruptedException {
    Path data = volume.directory().data();
    ServerOptions server =
        new ServerOptions(
            volume.directory().socket(),
            options.port(),
            options.settings(),
            options.allowed(),
            options.hba(),
            !options.prepareOnly(),
            Set.of());
    ServerSettings.write(volume.layout(), data, volume.header(), server);
    if (options.prepareOnly() || !OriginalSettings.mayBeRefused(volume.header())) {
      return;
    }
    List<String> postgres =
        PostgresProcess.command(
            options.postgres().resolve("postgres"), options.user(), options.group(), root);
    List<String> original = OriginalSettings.names(volume.header());
    Set<String> without = new TreeSet<>();
    // Names that it does not know keep it from looking at values.
    while (true) {
      Set<String> refused = ConfigurationCheck.refused(postgres, data);
      refused.retainAll(original);
      if (!without.addAll(refused)) {
        break;
      }
      ServerSettings.write(volume.layout(), data, volume.header(), server.without(without));
    }
    if (!without.isEmpty()) {
      LOG.log(
          Level.WARNING,
          "PostgreSQL refuses what the original has, so answers may differ; left out: {0}",
          without);
    }
  }

  private static int serve(AgentOptions options, Volume volume, boolean root, long[] times)
      throws IOException, InterruptedException {
    PostgresProcess postgres;
    try {
      postgres =
          PostgresProcess.start(
              options.postgres(), volume.directory().data(), options.user(), options.group(), root);
    } catch (IOException e) {
      volume.close();
      throw e;
    }
    Supervisor supervisor = new Supervisor(volume, postgres);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> endOrderly(supervisor), "stop"));
    Thread.ofVirtual().start(() -> announce(options, volume, postgres, times));
    int code = supervisor.run();
    status(volume, "stopped code=" + code);
    return code;
  }

  private static void endOrderly(Supervisor supervisor) {
    supervisor.stop();
    try {
      supervisor.awaitEnd();
      Thread.sleep(1000); // the main thread halts the process with PostgreSQL's code
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void announce(
      AgentOptions options, Volume volume, PostgresProcess postgres, long[] times) {
    try {
      if (postgres.awaitReady(READY_SECONDS)) {
        long now = System.nanoTime();
        long lsn = volume.header().getLsn();
        status(
            volume,
            "ready port=%d lsn=%X/%X %s image_ms=%d mount_ms=%d postgres_ms=%d jvm_ms=%d"
                .formatted(
                    options.port(),
                    lsn >>> 32,
                    lsn & 0xFFFFFFFFL,
                    volume.resumed() ? "resumed" : "new",
                    (times[1] - times[0]) / 1_000_000,
                    (times[2] - times[1]) / 1_000_000,
                    (now - times[2]) / 1_000_000,
                    millisSinceExec()));
      }
    } catch (IOException e) {
      LOG.warning("the times of the start are not told: " + FailureText.of(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * How old this process is, to 10 ms. Both times are the kernel's since it booted: that of {@code
   * ProcessHandle} is off by a part of a second, since the kernel tells its boot in whole seconds.
   */
  private static long millisSinceExec() throws IOException {
    String status = Files.readString(Path.of("/proc/self/stat"));
    String[] behindName = status.substring(status.lastIndexOf(')') + 2).split(" ", -1);
    String[] uptime = Files.readString(Path.of("/proc/uptime")).split(" ", -1);
    return Math.round(Double.parseDouble(uptime[0]) * 1000)
        - Long.parseLong(behindName[STAT_START]) * 10;
  }

  /** One line to standard output and to the file {@code status} in the directory. */
  private static void status(Volume volume, String what) {
    MountCounters counters = volume.counters();
    String line =
        "%s requests=%d pages=%d ahead_pages=%d wait_ms=%d source_errors=%d"
            .formatted(
                what,
                counters.requests(),
                counters.pages(),
                counters.aheadPages(),
                counters.waitNanos() / 1_000_000,
                counters.sourceErrors());
    System.out.println("varve-agent: " + line);
    try {
      Files.writeString(volume.directory().root().resolve("status"), line + "\n");
    } catch (IOException e) {
      LOG.warning("the status file is not written: " + FailureText.of(e));
    }
  }
}
