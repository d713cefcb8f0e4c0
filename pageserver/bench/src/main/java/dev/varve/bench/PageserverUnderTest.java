package dev.varve.bench;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.testkit.PostgresServer;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A pageserver as a program of its own, as the local run starts it: a directory as object store,
 * default settings, one gigabyte of heap. One timeline, fed by a primary.
 */
final class PageserverUnderTest implements AutoCloseable {
  static final String TIMELINE = "bench/main";

  private static final long TIMEOUT_SECONDS = 600;

  private final Process process;
  private final Path log;
  private final int port;
  private final ManagedChannel channel;
  private final ManagementServiceGrpc.ManagementServiceBlockingStub management;

  private PageserverUnderTest(Process process, Path log, int port) {
    this.process = process;
    this.log = log;
    this.port = port;
    this.channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    this.management = ManagementServiceGrpc.newBlockingStub(channel);
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
  }

  /**
   * Starts it with its files in {@code home}; again in the same place after it was closed.
   *
   * @param settings beside the defaults, {@code varve.name=value}
   */
  static PageserverUnderTest start(Path home, String... settings)
      throws IOException, InterruptedException {
    Path root = Path.of(System.getProperty("varve.root", "."));
    Path application = root.resolve("pageserver/server/target/quarkus-app");
    Path log = home.resolve("pageserver.log");
    int port = freePort();
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            ProcessHandle.current().info().command().orElse("java"),
            "-Xmx1g",
            "-XX:+UseTransparentHugePages",
            "-XX:AOTCache=" + application.resolve("app.aot"),
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dvarve.store=directory:" + home.resolve("objects"),
            "-Dvarve.data-directory=" + home.resolve("pageserver"),
            "-Dvarve.grpc.port=" + port,
            "-Dquarkus.http.port=" + freePort(),
            "-Dquarkus.http.host=127.0.0.1"));
    for (String setting : settings) {
      command.add("-D" + setting);
    }
    command.add("-jar");
    command.add(application.resolve("quarkus-run.jar").toString());
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .redirectInput(new File("/dev/null"))
            .start();
    PageserverUnderTest started = new PageserverUnderTest(process, log, port);
    started.await(
        "start",
        () -> {
          started.management.listTimelines(ListTimelinesRequest.getDefaultInstance());
          return true;
        });
    return started;
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  /** Processor time until now, of all its threads. */
  Duration cpu() {
    return process.info().totalCpuDuration().orElseThrow();
  }

  /** Attaches the primary and waits until its pages can be read. */
  void attach(PostgresServer primary) throws InterruptedException {
    management.attachTimeline(
        AttachTimelineRequest.newBuilder()
            .setTenant("bench")
            .setTimeline("main")
            .setPrimary(
                PrimarySource.newBuilder()
                    .setHost("127.0.0.1")
                    .setPort(primary.port())
                    .setUser("postgres")
                    .setSslMode("disable"))
            .build());
    awaitStatus("attach", status -> status.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
  }

  void awaitStatus(String what, Predicate<TimelineStatus> wanted) throws InterruptedException {
    await(
        what,
        () -> {
          TimelineStatus status = status();
          if (status.getState() == TimelineState.TIMELINE_STATE_BROKEN) {
            throw new IllegalStateException("the timeline stopped: " + status.getProblem());
          }
          return wanted.test(status);
        });
  }

  TimelineStatus status() {
    return management.getTimeline(
        GetTimelineRequest.newBuilder().setTenant("bench").setTimeline("main").build());
  }

  private interface Condition {
    boolean holds();
  }

  private void await(String what, Condition condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      try {
        if (condition.holds()) {
          return;
        }
      } catch (StatusRuntimeException e) {
        if (e.getStatus().getCode() != Status.Code.UNAVAILABLE) {
          throw e;
        }
      }
      if (!process.isAlive() || System.nanoTime() > deadline) {
        throw new IllegalStateException("pageserver: " + what + " failed: " + logged());
      }
      Thread.sleep(20);
    }
  }

  private String logged() {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return "no log: " + e;
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
    process.destroy();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
