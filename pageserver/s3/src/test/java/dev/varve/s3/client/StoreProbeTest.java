package dev.varve.s3.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ProbedObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.engine.store.StoreProbe;
import dev.varve.engine.store.StoreProbe.Need;
import dev.varve.engine.store.StoreRefusedException;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.FaultyS3Server;
import dev.varve.testkit.FaultyS3Server.Fault;
import dev.varve.testkit.FaultyS3Server.Request;
import dev.varve.testkit.S3Server;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that lack one thing are found out before anything is claimed there. */
final class StoreProbeTest {
  private static final String BUCKET = "varve-test";

  @TempDir static Path serverDirectory;
  private static S3Server behind;
  private FaultyS3Server server;
  private S3ObjectStore s3;
  private RetryingObjectStore store;

  @BeforeAll
  static void startServer() throws Exception {
    behind = S3Server.startUnchecked(serverDirectory, BUCKET);
  }

  @AfterAll
  static void stopServer() throws Exception {
    behind.close();
  }

  @BeforeEach
  void open() throws IOException {
    ExpectedLog.containing("the object store refuses since");
    server = FaultyS3Server.start(behind.endpoint());
    s3 =
        new S3ObjectStore(
            S3Settings.of(
                "s3://" + BUCKET + "/probed",
                server.endpoint(),
                S3Server.REGION,
                true,
                S3Server.ACCESS_KEY,
                S3Server.SECRET_KEY,
                Duration.ofSeconds(20)));
    store = new RetryingObjectStore(s3, 4, Duration.ofMillis(10));
  }

  @AfterEach
  void close() {
    s3.close();
    server.close();
  }

  private StoreProbe probe() {
    return new StoreProbe(store, s3::putInParts, RandomGenerator.getDefault());
  }

  @Test
  void aServerThatDoesEverythingIsFitAndNothingIsLeft() throws IOException {
    Map<Need, String> found = probe().run();
    assertEquals("", ProbedObjectStore.lacking(found));
    assertEquals(8, found.size());
    assertEquals(List.of(), store.list(StoreProbe.DIRECTORY));
  }

  @Test
  void severalProbeAtOnce() throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<String> lacking = Collections.synchronizedList(new ArrayList<>());
    for (int i = 0; i < 4; i++) {
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                try {
                  lacking.add(ProbedObjectStore.lacking(probe().run()));
                } catch (IOException e) {
                  lacking.add(e.toString());
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(List.of("", "", "", ""), lacking);
    assertEquals(List.of(), store.list(StoreProbe.DIRECTORY));
  }

  /** What servers of which kind do, and what they lack. */
  static Stream<Arguments> servers() {
    Predicate<Request> conditional = r -> r.headers().containsKey("if-none-match");
    Predicate<Request> ranged = r -> r.headers().containsKey("range");
    Predicate<Request> parts = r -> r.method().equals("POST") && r.query().contains("uploads");
    Predicate<Request> deletes = r -> r.method().equals("DELETE") && r.query().isEmpty();
    return Stream.of(
        server(
            "ignores the condition", conditional, ignoring("if-none-match"), "CONDITIONAL_CREATE"),
        server(
            "has no conditions",
            conditional,
            answering(501, "NotImplemented"),
            "CONDITIONAL_CREATE"),
        server(
            "does not know them",
            conditional,
            answering(400, "InvalidArgument"),
            "CONDITIONAL_CREATE"),
        server("answers as to a read", conditional, answering(304, ""), "CONDITIONAL_CREATE"),
        server("ignores ranges", ranged, ignoring("range"), "RANGE"),
        server("has no uploads in parts", parts, answering(501, "NotImplemented"), "PARTS"),
        server("lists what was", Request::isList, FaultyS3Server.staleListing(), "DELETE"),
        server("lists nothing", Request::isList, emptyListing(), "LIST"),
        server("may not list", Request::isList, answering(403, "AccessDenied"), "LIST"),
        server("does not delete", deletes, answering(204, ""), "DELETE"),
        server(
            "may not write",
            r -> r.method().equals("PUT"),
            answering(403, "AccessDenied"),
            "READ_AFTER_WRITE"),
        server(
            "does not find what it has",
            r -> r.method().equals("GET") && r.path().contains("written"),
            answering(404, "NoSuchKey"),
            "READ_AFTER_WRITE"));
  }

  private static Arguments server(String kind, Predicate<Request> when, Fault fault, String lacks) {
    return Arguments.of(kind, when, fault, lacks);
  }

  private static Fault ignoring(String header) {
    return FaultyS3Server.ignoring(header);
  }

  private static Fault answering(int status, String code) {
    return FaultyS3Server.answering(status, code);
  }

  private static Fault emptyListing() {
    return exchange ->
        exchange.answer(
            new FaultyS3Server.Answer(
                List.of("HTTP/1.1 200 OK", "Content-Type: application/xml"),
                "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
                    .getBytes(StandardCharsets.UTF_8)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("servers")
  void aServerThatLacksSomethingIsRefused(
      String kind, Predicate<Request> when, Fault fault, String lacks) throws IOException {
    ExpectedLog.containing("the object store cannot be used: it lacks that");
    server.add(when, fault);
    ProbedObjectStore probed = new ProbedObjectStore(store, this::probe);
    StoreRefusedException e =
        assertThrows(
            StoreRefusedException.class,
            () -> probed.create("tenants/t/timelines/m/layout", new byte[1]));
    Need need =
        Stream.of(Need.values()).filter(n -> n.name().equals(lacks)).findFirst().orElseThrow();
    assertTrue(
        String.valueOf(e.getMessage()).contains("it lacks that " + need.description()),
        e::toString);
    assertEquals(0, server.count(r -> r.method().equals("PUT") && r.path().contains("tenants/")));
    // A second claim asks nobody.
    int asked = server.requests().size();
    assertThrows(StoreRefusedException.class, () -> probed.create("tenants/t/other", new byte[1]));
    assertEquals(asked, server.requests().size());
    server.behave();
    for (var entry : store.list(StoreProbe.DIRECTORY)) {
      store.delete(entry.name());
    }
  }

  /** Rights that somebody took away hold up no timeline that a restarted pageserver had. */
  @Test
  void aServerThatMayNotDeleteIsUsedAndNamed() throws IOException {
    server.add(r -> r.method().equals("DELETE"), answering(403, "AccessDenied"));
    Map<Need, String> found = probe().run();
    String fault = found.get(Need.DELETE_PERMISSION);
    assertTrue(fault != null && fault.contains("AccessDenied"), found::toString);
    new ProbedObjectStore(store, this::probe).create("tenants/t/timelines/m/layout", new byte[1]);
    server.behave();
    for (var entry : store.list("")) {
      store.delete(entry.name());
    }
  }

  @Test
  void aServerThatDoesNotAnswerIsNotJudged() throws IOException {
    ExpectedLog.containing("the object store does not answer since");
    server.add(r -> true, answering(500, "InternalError"));
    ProbedObjectStore probed = new ProbedObjectStore(store, this::probe);
    IOException e =
        assertThrows(IOException.class, () -> probed.create("some/name", new byte[] {1}));
    assertTrue(!(e instanceof StoreRefusedException), e::toString);
    server.behave();
    probed.create("some/name", new byte[] {1});
    probed.create("some/second", new byte[] {1});
    assertEquals(
        1, server.count(r -> r.is("PUT", "/once") && r.headers().containsKey("if-none-match")) / 2);
    store.delete("some/name");
    store.delete("some/second");
    assertThrows(ObjectNotFoundException.class, () -> probed.get("some/name"));
  }
}
