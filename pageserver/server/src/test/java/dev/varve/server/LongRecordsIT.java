package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.varve.engine.postgres.Lsn;
import dev.varve.testkit.PostgresServer;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Records of hundreds of megabytes, which a heap of 512 MB does not hold: a message, and a deleted
 * row with its values for logical decoding. An {@code OutOfMemoryError} would end the program.
 */
final class LongRecordsIT {
  private static final String PATH = "/api/v1/timelines/acme/main";

  @TempDir Path directory;

  @Test
  void areTakenInWithinASmallHeap() throws Exception {
    try (PostgresServer primary =
            PostgresServer.builder(17)
                .setting("wal_level", "logical")
                .setting("autovacuum", "off")
                .setting("max_wal_size", "4GB")
                .start();
        ServerProcess server = ServerProcess.start(directory, Map.of())) {
      primary.execute(
          "postgres",
          "create table rows (id int, value text)",
          "alter table rows alter value set storage external",
          "alter table rows replica identity full",
          "insert into rows select i, repeat('x', 90 << 20) from generate_series(1, 2) i");
      HttpResponse<String> attached =
          server.put(
              PATH,
              "{\"primary\": {\"host\": \"127.0.0.1\", \"port\": "
                  + primary.port()
                  + ", \"user\": \"postgres\"}}");
      assertEquals(200, attached.statusCode(), attached.body());
      server.await(PATH, t -> t.get("state").asText().equals("active"));
      primary.execute(
          "postgres",
          "select pg_logical_emit_message(false, 'varve', repeat('m', 400 << 20))",
          "update rows set id = 3 where id = 1",
          "delete from rows where id = 2",
          "create table behind as select 1 as i");
      long end = Lsn.parse(primary.currentLsn());
      JsonNode timeline = server.await(PATH, t -> Lsn.parse(t.get("publishedLsn").asText()) >= end);
      assertEquals("active", timeline.get("state").asText());
      assertEquals("", timeline.get("problem").asText());
      assertTrue(server.isAlive());
      assertEquals(List.of(), server.warnings());
    }
  }
}
