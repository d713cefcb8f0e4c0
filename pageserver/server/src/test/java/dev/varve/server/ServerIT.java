package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.engine.postgres.Lsn;
import dev.varve.server.metrics.MetricsDocument;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packaged pageserver from the first start to the last, beside a primary under load. */
final class ServerIT {
  private static final String PATH = "/api/v1/timelines/acme/main";

  /**
   * Updated by the first command of its transactions: redo does not know the number of a command.
   */
  private static final String TABLE = "pgbench_accounts";

  @TempDir Path directory;

  @Test
  void attachLoadReadRestart() throws Exception {
    try (PostgresServer primary =
        PostgresServer.builder(17).checksums(true).setting("autovacuum", "off").start()) {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      int generation;
      try (ServerProcess server = start()) {
        assertHealth(server);
        attach(server, primary);
        load.run(2, 1, done -> done == 200);
        assertSamePages(server, primary);
        assertMetrics(server);

        primary.restart();
        load.run(2, 2, done -> done == 200);
        assertSamePages(server, primary);
        generation = awaitPublished(server, primary).get("generation").asInt();
        assertSlotFollows(server, primary);
        assertEquals(
            List.of(),
            server.warnings().stream().filter(w -> !w.contains("cannot be reached")).toList());
        server.kill();
      }
      load.run(2, 3, done -> done == 200);
      long kept = slotLsn(primary);
      try (ServerProcess server = start()) {
        // Nothing was lost that the slot let go of: it goes on where the manifest ends.
        JsonNode loaded = server.await(PATH, t -> t.get("generation").asInt() == generation + 1);
        assertTrue(lsn(loaded, "publishedLsn") >= kept, loaded + " but slot at " + kept);
        assertSamePages(server, primary);
        load.run(2, 4, done -> done == 200);
        assertSlotFollows(server, primary);
        assertEquals(List.of(), server.warnings());
        assertEquals(143, server.stop());
        assertEquals(List.of(), server.warnings());
      }
      try (ServerProcess server = start()) {
        assertSamePages(server, primary);
        assertDetach(server, primary, directory);
        assertNameAnew(server, primary);
      }
    }
  }

  private ServerProcess start() throws Exception {
    return ServerProcess.start(
        directory,
        Map.of("varve.engine.open-layer-size", "2M", "varve.engine.open-layer-age", "300ms"));
  }

  private static void assertHealth(ServerProcess server) throws Exception {
    server.await("/q/health/live", health -> health.get("status").asText().equals("UP"));
    JsonNode ready =
        server.await("/q/health/ready", health -> health.get("status").asText().equals("UP"));
    assertEquals("pageserver", ready.get("checks").get(0).get("name").asText());
    assertEquals("[]", server.get("/api/v1/timelines").body().strip());
    HttpResponse<String> missing = server.get(PATH);
    assertEquals(404, missing.statusCode());
    assertTrue(missing.body().contains("acme/main is not attached"), missing.body());
    assertFalse(server.log().contains("already been registered"), server.log());
  }

  private static void attach(ServerProcess server, PostgresServer primary) throws Exception {
    HttpResponse<String> refused =
        server.put(PATH, "{\"primary\": {\"host\": \"127.0.0.1\", \"port\": 1}}");
    assertEquals(400, refused.statusCode(), refused.body());
    assertTrue(refused.body().contains("user is empty"), refused.body());
    HttpResponse<String> attached =
        server.put(
            PATH,
            "{\"primary\": {\"host\": \"127.0.0.1\", \"port\": "
                + primary.port()
                + ", \"user\": \"postgres\"}}");
    assertEquals(200, attached.statusCode(), attached.body());
    server.await(PATH, t -> t.get("state").asText().equals("active"));
    server.await("/q/health/ready", health -> health.get("status").asText().equals("UP"));
  }

  private static long lsn(JsonNode timeline, String field) {
    return Lsn.parse(timeline.get(field).asText());
  }

  private static long slotLsn(PostgresServer primary) throws Exception {
    return Lsn.parse(
        primary.query(
            "postgres",
            "select restart_lsn from pg_replication_slots where slot_name = 'varve_main'"));
  }

  /** Waits until all that the primary has written is published. */
  private static JsonNode awaitPublished(ServerProcess server, PostgresServer primary)
      throws Exception {
    long end = Lsn.parse(primary.currentLsn());
    return server.await(
        PATH, t -> lsn(t, "publishedLsn") >= end && t.get("problem").asText().isEmpty());
  }

  private static void assertSamePages(ServerProcess server, PostgresServer primary)
      throws Exception {
    primary.execute("postgres", "vacuum (freeze) " + TABLE, "checkpoint");
    long end = Lsn.parse(primary.currentLsn());
    server.await(PATH, t -> t.has("receivedLsn") && lsn(t, "receivedLsn") >= end);
    ManagedChannel channel =
        ManagedChannelBuilder.forAddress("127.0.0.1", server.grpcPort())
            .usePlaintext()
            .maxInboundMessageSize(16 << 20)
            .build();
    try {
      ServedPages pages = new ServedPages(channel, "acme/main");
      assertTrue(pages.assertSame(primary, TABLE, 0, end) > 1600);
      assertTrue(pages.assertSame(primary, TABLE, 2, end) > 0);
      assertTrue(pages.assertSame(primary, TABLE + "_pkey", 0, end) > 200);
    } finally {
      channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
  }

  /** The slot gives WAL up as it is published, and none before. */
  private static void assertSlotFollows(ServerProcess server, PostgresServer primary)
      throws Exception {
    long slot = slotLsn(primary);
    JsonNode published = awaitPublished(server, primary);
    assertTrue(slot <= lsn(published, "publishedLsn"), slot + " is ahead of " + published);
    server.await(
        PATH,
        t -> {
          try {
            return slotLsn(primary) >= lsn(published, "publishedLsn");
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        });
  }

  /** What is exported is what is documented. */
  private static void assertMetrics(ServerProcess server) throws Exception {
    String body = server.get("/q/metrics").body();
    Set<String> exported =
        body.lines()
            .filter(line -> line.startsWith("# TYPE varve_"))
            .map(line -> line.split(" "))
            // OpenMetrics names the family without the suffix that its samples have.
            .map(words ->
                words[3].equals("counter") && !words[2].endsWith("_total")
                    ? words[2] + "_total"
                    : words[2])
            .collect(Collectors.toCollection(TreeSet::new));
    // A timer's longest value is a gauge of its own.
    exported.removeIf(name -> name.endsWith("_seconds_max"));
    Set<String> documented = new TreeSet<>(MetricsDocument.read().keySet());
    // Comes with the first error.
    documented.remove("varve_page_read_errors_total");
    assertEquals(documented, exported);
    assertTrue(
        body.lines()
            .anyMatch(line ->
                line.startsWith("varve_timeline_state{")
                    && line.contains("state=\"ACTIVE\"")
                    && line.contains("tenant=\"acme\"")
                    && line.contains("timeline=\"main\"")
                    && line.endsWith("} 1.0")),
        body);
  }

  private static void assertDetach(ServerProcess server, PostgresServer primary, Path directory)
      throws Exception {
    assertTrue(localFiles(directory) > 0);
    assertEquals(204, server.delete(PATH + "?dropSlot=true").statusCode());
    assertEquals("0", primary.query("postgres", "select count(*) from pg_replication_slots"));
    assertEquals(404, server.get(PATH).statusCode());
    assertEquals(0, localFiles(directory));
    assertFalse(server.get("/q/metrics").body().contains("timeline=\"main\""));
    // Without a source: what was published is served still.
    HttpResponse<String> again = server.put(PATH, "{}");
    assertEquals(200, again.statusCode(), again.body());
    server.await(PATH, t -> t.get("state").asText().equals("active"));
    assertEquals(List.of(), server.warnings());
  }

  /** A name is given anew: to another timeline, and by its id to the one that it was. */
  private static void assertNameAnew(ServerProcess server, PostgresServer primary)
      throws Exception {
    String other = "/api/v1/timelines/acme/other";
    String first = server.await(PATH, t -> t.has("timelineId")).get("timelineId").asText();
    assertEquals(204, server.delete(PATH).statusCode());
    String adopt = "\"timelineId\": \"" + first + "\"";
    try (PostgresServer stranger = PostgresServer.builder(17).start()) {
      HttpResponse<String> refused = server.put(other, "{" + adopt + ", " + from(stranger) + "}");
      assertEquals(400, refused.statusCode(), refused.body());
      assertTrue(refused.body().contains("with system identifier"), refused.body());
    }
    // Its slot was dropped, and with it the WAL since: without its source.
    HttpResponse<String> adopted = server.put(other, "{" + adopt + "}");
    assertEquals(200, adopted.statusCode(), adopted.body());
    assertEquals(204, server.delete(other + "?deleteObjects=true").statusCode());

    HttpResponse<String> attached = server.put(PATH, "{" + from(primary) + "}");
    assertEquals(200, attached.statusCode(), attached.body());
    JsonNode second = server.await(PATH, t -> t.get("state").asText().equals("active"));
    assertFalse(first.equals(second.get("timelineId").asText()), second::toString);
    ManagedChannel channel =
        ManagedChannelBuilder.forAddress("127.0.0.1", server.grpcPort()).usePlaintext().build();
    try {
      String problem =
          assertThrows(
                  StatusRuntimeException.class,
                  () ->
                      PageServiceGrpc.newBlockingStub(channel)
                          .getThinImage(
                              GetThinImageRequest.newBuilder()
                                  .setTimeline("acme/main@" + first)
                                  .build())
                          .next())
              .getMessage();
      assertTrue(problem.contains("is another timeline now"), problem);
    } finally {
      channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
  }

  private static String from(PostgresServer primary) {
    return "\"primary\": {\"host\": \"127.0.0.1\", \"port\": "
        + primary.port()
        + ", \"user\": \"postgres\"}";
  }

  private static long localFiles(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("local/layers"))) {
      return files.filter(Files::isRegularFile).count();
    }
  }
}
