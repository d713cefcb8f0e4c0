package dev.varve.local;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** The pageserver as a program of its own, and its management service. */
final class PageserverProcess {
  static final String NAMESPACE = "default";
  static final String TENANT_NAME = "local";

  /** As tenants are called where namespaces hold them. */
  static final String TENANT = NAMESPACE + "." + TENANT_NAME;

  static final String TIMELINE = "main";
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

  private final ChildProcess process;
  private final int port;
  private final String shard;
  private final ManagedChannel channel;
  private final ManagementServiceGrpc.ManagementServiceBlockingStub management;

  private PageserverProcess(ChildProcess process, int port, String shard) {
    this.process = process;
    this.port = port;
    this.shard = shard;
    this.channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    this.management = ManagementServiceGrpc.newBlockingStub(channel);
  }

  /**
   * Starts it and waits until it answers.
   *
   * @param local for attachments and the cache of layers
   * @param shard what it is to keep, such as {@code 0-of-2-by-2048}; empty: everything
   */
  static PageserverProcess start(
      Path application, String store, Path local, Path log, int port, int httpPort, String shard)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-Xmx1g",
                "-XX:+UseTransparentHugePages",
                "-XX:AOTCache=" + application.resolveSibling("app.aot"),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dvarve.store=" + store,
                "-Dvarve.data-directory=" + local,
                "-Dvarve.grpc.port=" + port,
                "-Dquarkus.http.port=" + httpPort,
                "-Dquarkus.http.host=127.0.0.1",
                "-jar",
                application.toString()));
    ChildProcess process = ChildProcess.start("the pageserver", log, Map.of(), command);
    PageserverProcess started = new PageserverProcess(process, port, shard);
    started.await(
        "the pageserver",
        START_TIMEOUT,
        () -> {
          started.management.listTimelines(
              dev.varve.api.v1.ListTimelinesRequest.getDefaultInstance());
          return true;
        });
    return started;
  }

  /** Something that becomes true. */
  private interface Condition {
    boolean holds();
  }

  private void await(String what, Duration timeout, Condition condition)
      throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (true) {
      process.requireRunning();
      try {
        if (condition.holds()) {
          return;
        }
      } catch (StatusRuntimeException e) {
        if (e.getStatus().getCode() != Status.Code.UNAVAILABLE) {
          throw e;
        }
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(what + " was not ready in " + timeout.toSeconds() + " s");
      }
      Thread.sleep(10);
    }
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  void attach(int primaryPort) {
    management.attachTimeline(
        AttachTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setShard(shard)
            .setPrimary(
                PrimarySource.newBuilder()
                    .setHost("127.0.0.1")
                    .setPort(primaryPort)
                    .setUser("postgres")
                    .setSslMode("disable"))
            .build());
  }

  TimelineStatus status() {
    return management.getTimeline(
        GetTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setShard(shard)
            .build());
  }

  /** Waits until the timeline's status is as wanted. */
  TimelineStatus awaitStatus(String what, Predicate<TimelineStatus> wanted)
      throws InterruptedException {
    TimelineStatus[] last = new TimelineStatus[1];
    await(
        what,
        Duration.ofMinutes(10),
        () -> {
          last[0] = status();
          if (last[0].getState() == TimelineState.TIMELINE_STATE_BROKEN) {
            throw new IllegalStateException("the timeline stopped: " + last[0].getProblem());
          }
          return wanted.test(last[0]);
        });
    return last[0];
  }

  ChildProcess process() {
    return process;
  }

  void kill() throws InterruptedException {
    process.kill();
    channel.shutdownNow();
  }

  void stop() throws InterruptedException {
    channel.shutdownNow();
    process.stop();
  }
}
