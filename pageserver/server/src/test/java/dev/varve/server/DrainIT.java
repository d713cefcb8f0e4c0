package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.GetTimelineRequest;
import dev.varve.api.v1.HandOverTimelineRequest;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.testkit.PostgresServer;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packaged pageserver is told to stop: what an operator attached is served until it moved. */
final class DrainIT {
  private static final String TIMELINE = "main";

  @TempDir Path directory;

  private static ManagedChannel channel(ServerProcess server) {
    return ManagedChannelBuilder.forAddress("127.0.0.1", server.grpcPort())
        .usePlaintext()
        .maxInboundMessageSize(16 << 20)
        .build();
  }

  private static AttachTimelineRequest attach(String timeline, int primaryPort) {
    return AttachTimelineRequest.newBuilder()
        .setTenant(TestPageserver.TENANT)
        .setTimeline(timeline)
        .setGeneration(1)
        .setPrimary(TestPageserver.primary(primaryPort))
        .build();
  }

  private static long attachAndWait(
      ManagementServiceGrpc.ManagementServiceBlockingStub management, int primaryPort, long lsn)
      throws InterruptedException {
    management.attachTimeline(attach(TIMELINE, primaryPort));
    GetTimelineRequest request =
        GetTimelineRequest.newBuilder()
            .setTenant(TestPageserver.TENANT)
            .setTimeline(TIMELINE)
            .build();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (true) {
      TimelineStatus status = management.getTimeline(request);
      if (status.getReadableFromLsn() != 0 && status.getReceivedLsn() >= lsn) {
        return status.getReceivedLsn();
      }
      assertTrue(System.nanoTime() < deadline, status::toString);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @Test
  void servesOnUntilDetached() throws Exception {
    try (PostgresServer primary =
            PostgresServer.builder(17).checksums(true).setting("autovacuum", "off").start();
        ServerProcess server =
            ServerProcess.start(directory, Map.of("varve.drain-timeout", "300s"))) {
      primary.execute(
          "postgres",
          "create table t as select i, md5(i::text) from generate_series(1, 20000) i",
          "vacuum (freeze) t",
          "checkpoint");
      long written =
          Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
      ManagedChannel channel = channel(server);
      ManagementServiceGrpc.ManagementServiceBlockingStub management =
          ManagementServiceGrpc.newBlockingStub(channel);
      long lsn = attachAndWait(management, primary.port(), written);
      ServedPages pages = new ServedPages(channel, TestPageserver.TENANT + "/" + TIMELINE);

      server.terminate();
      server.awaitLog("until they have moved");
      assertTrue(pages.assertSame(primary, "t", 0, lsn) > 100);
      // A new connection is served too, and nothing new is taken.
      ManagedChannel second = channel(server);
      StatusRuntimeException refused =
          assertThrows(
              StatusRuntimeException.class,
              () ->
                  ManagementServiceGrpc.newBlockingStub(second)
                      .attachTimeline(attach("other", primary.port())));
      assertEquals(Status.Code.UNAVAILABLE, refused.getStatus().getCode());
      assertTrue(String.valueOf(refused.getStatus().getDescription()).contains("about to stop"));
      management.handOverTimeline(
          HandOverTimelineRequest.newBuilder()
              .setTenant(TestPageserver.TENANT)
              .setTimeline(TIMELINE)
              .build());
      assertTrue(pages.assertSame(primary, "t", 0, lsn) > 100);
      assertTrue(server.isAlive());

      management.detachTimeline(
          DetachTimelineRequest.newBuilder()
              .setTenant(TestPageserver.TENANT)
              .setTimeline(TIMELINE)
              .build());
      long detached = System.nanoTime();
      // 143: ended by SIGTERM, as the JVM says it.
      assertEquals(143, server.stop());
      long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - detached);
      assertTrue(seconds < 20, "stopped only after " + seconds + " s");
      assertEquals(List.of(), server.warnings());
      channel.shutdownNow();
      second.shutdownNow();
    }
  }

  @Test
  void waitsForNobodyWhenNothingIsAttached() throws Exception {
    try (ServerProcess server =
        ServerProcess.start(directory, Map.of("varve.drain-timeout", "300s"))) {
      assertEquals(143, server.stop());
      assertFalse(server.isAlive());
    }
  }
}
