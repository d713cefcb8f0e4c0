package dev.varve.testkit;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.ListTimelinesRequest;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * The packaged pageserver as a program of its own, and its management service: one timeline, fed by
 * a primary on this machine.
 */
public final class PageserverProcess implements AutoCloseable {
  public static final String NAMESPACE = "default";
  public static final String TENANT_NAME = "local";

  /** As tenants are called where namespaces hold them. */
  public static final String TENANT = NAMESPACE + "." + TENANT_NAME;

  public static final String TIMELINE = "main";
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
   * What one is started by.
   *
   * @param root the project's directory, built
   * @param heap as {@code -Xmx} takes it
   * @param settings by name, {@code varve.…} or {@code quarkus.…}
   */
  public static List<String> command(Path root, String heap, Map<String, String> settings) {
    Path application = root.resolve("pageserver/server/target/quarkus-app");
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-Xmx" + heap,
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:+UseTransparentHugePages",
                "-XX:AOTCache=" + application.resolve("app.aot"),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dquarkus.http.host=127.0.0.1"));
    settings.forEach((name, value) -> command.add("-D" + name + "=" + value));
    command.addAll(List.of("-jar", application.resolve("quarkus-run.jar").toString()));
    return command;
  }

  /**
   * Where one listens and what it keeps.
   *
   * @param port of the page service and of management
   * @param shard what it is to keep, such as {@code 0-of-2-by-2048}; empty: everything
   */
  public record Place(int port, int httpPort, String shard) {}

  /**
   * Starts it, with a heap of one gigabyte, and waits until it answers.
   *
   * @param store {@code directory:PATH} or {@code s3://…}
   * @param local directory for attachments and the cache of layers
   * @param settings further ones
   */
  public static PageserverProcess start(
      Path root, String store, Path local, Path log, Place place, Map<String, String> settings)
      throws IOException, InterruptedException {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("varve.store", store);
    all.put("varve.data-directory", local.toString());
    all.put("varve.grpc.port", Integer.toString(place.port()));
    all.put("quarkus.http.port", Integer.toString(place.httpPort()));
    all.putAll(settings);
    ChildProcess process = ChildProcess.start("the pageserver", log, command(root, "1g", all));
    PageserverProcess started = new PageserverProcess(process, place.port(), place.shard());
    started.await(
        "the pageserver",
        START_TIMEOUT,
        () -> {
          started.management.listTimelines(ListTimelinesRequest.getDefaultInstance());
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

  public String address() {
    return "127.0.0.1:" + port;
  }

  /** Asks for the timeline to be attached to the primary at a port of this machine. */
  public void attach(int primaryPort) {
    var _ =
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

  /** Waits until the timeline's pages can be read. */
  public void awaitAttached() throws InterruptedException {
    var _ =
        awaitStatus("attach", status -> status.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
  }

  public TimelineStatus status() {
    return management.getTimeline(
        GetTimelineRequest.newBuilder()
            .setTenant(TENANT)
            .setTimeline(TIMELINE)
            .setShard(shard)
            .build());
  }

  /** Waits until the timeline's status is as wanted. */
  public TimelineStatus awaitStatus(String what, Predicate<TimelineStatus> wanted)
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

  /** The management service, for what the methods here do not do. */
  public ManagementServiceGrpc.ManagementServiceBlockingStub management() {
    return management;
  }

  public ChildProcess process() {
    return process;
  }

  /** {@code kill -9}. */
  public void kill() throws InterruptedException {
    process.kill();
    channel.shutdownNow();
  }

  /** Asks it to end and waits for that. */
  public void stop() throws InterruptedException {
    channel.shutdownNow();
    process.stop();
  }

  @Override
  public void close() {
    try {
      stop();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // it ends with this process
    }
  }
}
