package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests that make no sense, and disk and object store that refuse: each is answered with a
 * status that says whose turn it is, and with words that say what is wrong and where. None is an
 * error of the pageserver itself.
 */
final class HttpRefusalsIT {
  private static final String TIMELINES = "/api/v1/timelines";
  private static final String PATH = TIMELINES + "/acme/main";
  private static final String JSON = "application/json";

  /** Method, path, content type, body, status, part of the error. */
  private record Nonsense(
      String method, String path, String contentType, String body, int status, String part) {}

  private static final List<Nonsense> NONSENSE =
      List.of(
          new Nonsense("GET", "/api/v1/timeline", "", "", 404, "/api/v1/timelines"),
          new Nonsense("GET", TIMELINES + "/acme", "", "", 404, "TENANT/TIMELINE"),
          new Nonsense("GET", TIMELINES + "/acme/main/x/y", "", "", 404, "TENANT/TIMELINE"),
          new Nonsense("POST", PATH, JSON, "{}", 405, "GET, PUT, DELETE"),
          new Nonsense("PUT", TIMELINES, JSON, "{}", 405, "GET, PUT, DELETE"),
          new Nonsense("PATCH", PATH, JSON, "{}", 405, "GET, PUT, DELETE"),
          new Nonsense("GET", PATH, "", "", 404, "acme/main is not attached"),
          new Nonsense("DELETE", PATH, "", "", 404, "acme/main is not attached"),
          new Nonsense("DELETE", PATH + "?dropSlot=yes", "", "", 400, "true or false"),
          new Nonsense("GET", TIMELINES + "/ACME/main", "", "", 400, "tenant 'ACME' is not"),
          new Nonsense("PUT", TIMELINES + "/acme/m_n", JSON, "{}", 400, "timeline 'm_n' is not"),
          new Nonsense("PUT", TIMELINES + "/..%2F/x", JSON, "{}", 400, "tenant '../' is not"),
          new Nonsense("PUT", PATH, JSON, "{", 400, "no attach request"),
          new Nonsense("PUT", PATH, JSON, "[]", 400, "no attach request"),
          new Nonsense("PUT", PATH, JSON, "7", 400, "no attach request"),
          new Nonsense("PUT", PATH, JSON, "\"x\"", 400, "no attach request"),
          new Nonsense("PUT", PATH, JSON, "{\"pimary\": {}}", 400, "pimary"),
          new Nonsense("PUT", PATH, "text/plain", "{}", 415, "application/json"),
          new Nonsense("PUT", PATH, JSON, "{}", 404, "name the primary to copy it from"),
          new Nonsense("PUT", PATH, JSON, primary(""), 400, "user is empty"),
          new Nonsense("PUT", PATH, JSON, primary(", \"port\": -1"), 400, "port is -1"),
          new Nonsense("PUT", PATH, JSON, primary(", \"port\": \"x\""), 400, "no attach request"),
          new Nonsense("PUT", PATH, JSON, primary(", \"sslMode\": \"tls\""), 400, "sslmode 'tls'"),
          new Nonsense("PUT", PATH, JSON, user(", \"slot\": \"A b\""), 400, "slot 'A b' is not"),
          new Nonsense(
              "PUT", PATH, JSON, user(", \"maxRetainedWalBytes\": -1"), 400, "bounded to -1"),
          new Nonsense(
              "PUT", PATH, JSON, user(", \"retainedWalAction\": \"x\""), 400, "retain, dropSlot"),
          new Nonsense(
              "PUT",
              PATH,
              JSON,
              user(", \"retainedWalAction\": \"dropSlot\""),
              400,
              "how much is too much"),
          new Nonsense("PUT", PATH, JSON, user(", \"port\": 1"), 503, "cannot be reached"));

  private static String primary(String more) {
    return "{\"primary\": {\"host\": \"127.0.0.1\"" + more + "}}";
  }

  private static String user(String more) {
    return primary(", \"user\": \"postgres\"" + more);
  }

  @TempDir Path directory;
  private final ObjectMapper json = new ObjectMapper();

  @Test
  void areAnsweredInWords() throws Exception {
    Path attachments = directory.resolve("local/attachments");
    Path damaged = Files.createDirectories(attachments.resolve("acme")).resolve("damaged.json");
    Files.writeString(damaged, "{\"id\": ");
    try (ServerProcess server =
        ServerProcess.start(directory, Map.of("quarkus.log.console.level", "INFO"))) {
      // One record that cannot be read keeps no other timeline away.
      server.await("/q/health/ready", health -> health.get("status").asText().equals("UP"));
      List<String> warnings = server.warnings();
      assertEquals(1, warnings.size(), warnings.toString());
      assertTrue(warnings.getFirst().contains(damaged + " is not an attachment"), server.log());

      for (Nonsense one : NONSENSE) {
        assertAnswer(
            one.status(),
            one.part(),
            server.request(one.method(), one.path(), one.contentType(), one.body()),
            one.toString());
      }
      Path objects = directory.resolve("objects");
      assertStorageRefuses(server, objects, "Not a directory");
      List<String> later = server.warnings();
      assertEquals(warnings, later.subList(0, 1), "an error of the pageserver itself");
      // One line for the whole outage.
      assertEquals(2, later.size(), later.toString());
      assertTrue(later.get(1).contains("the object store does not answer"), later.toString());
    }
  }

  /** A file where the directory should be, which also root cannot write into. */
  private void assertStorageRefuses(ServerProcess server, Path storage, String part)
      throws Exception {
    Path aside = storage.resolveSibling(storage.getFileName() + ".aside");
    if (Files.exists(storage)) {
      Files.move(storage, aside);
    }
    Files.createFile(storage);
    try {
      assertAnswer(503, part, server.request("PUT", PATH, JSON, "{}"), storage.toString());
    } finally {
      Files.delete(storage);
      if (Files.exists(aside)) {
        Files.move(aside, storage);
      }
    }
  }

  private void assertAnswer(int status, String part, HttpResponse<String> answer, String request)
      throws Exception {
    String body = answer.body();
    assertEquals(status, answer.statusCode(), request + ": " + body);
    JsonNode error = json.readTree(body).get("error");
    assertTrue(error != null && error.isTextual(), request + ": " + body);
    assertTrue(error.asText().contains(part), request + ": " + body);
    assertTrue(error.asText().contains(" "), request + " has no words: " + body);
    assertFalse(body.contains("Error id"), request + ": " + body);
  }
}
