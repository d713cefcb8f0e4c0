package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.ProbedObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.engine.store.StoreProbe;
import dev.varve.s3.client.S3ObjectStore;
import dev.varve.s3.client.S3Settings;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.FaultyS3Server;
import dev.varve.testkit.FaultyS3Server.Request;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.S3Server;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A pageserver on S3 servers, and lines to them, that misbehave. */
final class StoreFailureIT {
  private static final String BUCKET = "varve-test";
  private static final Duration TIMEOUT = Duration.ofSeconds(2);
  private static final AtomicInteger COUNT = new AtomicInteger();

  @TempDir static Path serverDirectory;
  @TempDir Path directory;
  private static PostgresServer primary;
  private static S3Server behind;
  private FaultyS3Server server;
  private S3ObjectStore s3;
  private ObjectStore store;
  private String prefix = "";

  @BeforeAll
  static void start() throws Exception {
    primary = PostgresServer.builder(17).checksums(true).setting("autovacuum", "off").start();
    behind = S3Server.startUnchecked(serverDirectory, BUCKET);
  }

  @AfterAll
  static void stop() throws Exception {
    behind.close();
    primary.close();
  }

  @BeforeEach
  void open() throws IOException {
    ExpectedLog.containing("the object store does not answer since");
    ExpectedLog.containing("the object store refuses since");
    server = FaultyS3Server.start(behind.endpoint());
    prefix = "run-" + COUNT.incrementAndGet();
    s3 =
        new S3ObjectStore(
            S3Settings.of(
                "s3://" + BUCKET + "/" + prefix,
                server.endpoint(),
                S3Server.REGION,
                true,
                S3Server.ACCESS_KEY,
                S3Server.SECRET_KEY,
                TIMEOUT));
    RetryingObjectStore retrying = new RetryingObjectStore(s3, 3, Duration.ofMillis(20));
    store =
        new ProbedObjectStore(
            retrying, () -> new StoreProbe(retrying, s3::putInParts, RandomGenerator.getDefault()));
  }

  @AfterEach
  void close() {
    s3.close();
    server.close();
  }

  private TestPageserver pageserver() throws IOException {
    EngineOptions defaults = EngineOptions.defaults();
    return TestPageserver.start(
        directory,
        store,
        new EngineOptions(
            1 << 20,
            Duration.ofMillis(200),
            defaults.frozenLayers(),
            defaults.layerMemoryBytes(),
            defaults.unpublishedBytes(),
            defaults.localCacheBytes(),
            defaults.pageCacheBytes(),
            defaults.blockCacheBytes(),
            defaults.imageAfterRecords(),
            defaults.compactAfterLayers(),
            defaults.targetLayerBytes()));
  }

  private static long lsn() throws SQLException {
    return Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
  }

  private static void load() throws SQLException {
    primary.execute(
        "postgres",
        "create table if not exists l(a int); insert into l select generate_series(1, 2000);"
            + " checkpoint");
  }

  private static void awaitPublished(TestPageserver pageserver, String timeline) throws Exception {
    long lsn = lsn();
    pageserver.await(
        timeline,
        "published",
        s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE && s.getPublishedLsn() >= lsn);
  }

  private static Predicate<Request> of(TimelineStatus timeline) {
    return request -> (request.path() + request.query()).contains(timeline.getTimelineId());
  }

  /** One timeline's objects do not come: it shows where it stands, and the other one goes on. */
  @Test
  void oneTimelinesObjectsHang() throws Exception {
    ExpectedLog.containing("test/slow: publishing failed and is tried again");
    ExpectedLog.containing("/manifest ");
    try (TestPageserver pageserver = pageserver()) {
      for (String timeline : List.of("slow", "other")) {
        pageserver.attach(timeline, TestPageserver.primary(primary.port()));
        awaitPublished(pageserver, timeline);
      }
      server.add(
          of(pageserver.status("slow")).and(r -> r.method().equals("PUT")),
          FaultyS3Server.hangingAfter(10));
      load();
      awaitPublished(pageserver, "other");
      pageserver.await(
          "slow",
          "failing with what, since when and why",
          s ->
              s.getState() == TimelineState.TIMELINE_STATE_ACTIVE
                  && s.getProblem().contains("the object store does not answer since ")
                  && s.getProblem().contains("no byte moved for"));
      assertEquals("", pageserver.status("other").getProblem());
      // Detached while its upload hangs, and a third attached while it hangs again.
      pageserver.attach("third", TestPageserver.primary(primary.port()));
      awaitPublished(pageserver, "third");
      pageserver.detach("slow", false);
      server.behave();
      pageserver.attach("slow", TestPageserver.primary(primary.port()));
      load();
      for (String timeline : List.of("slow", "other", "third")) {
        awaitPublished(pageserver, timeline);
        pageserver.await(timeline, "well", s -> s.getProblem().isEmpty());
        pageserver.detach(timeline, false);
      }
    }
  }

  @Test
  void deletingIsDeniedLater() throws Exception {
    ExpectedLog.containing("removing what is no longer wanted failed and is tried again");
    try (TestPageserver pageserver = pageserver()) {
      pageserver.attach("kept", TestPageserver.primary(primary.port()));
      awaitPublished(pageserver, "kept");
      server.add(r -> r.method().equals("DELETE"), FaultyS3Server.answering(403, "AccessDenied"));
      for (int i = 0; i < 12; i++) {
        load();
        awaitPublished(pageserver, "kept");
      }
      pageserver.await(
          "kept",
          "told",
          s ->
              s.getState() == TimelineState.TIMELINE_STATE_ACTIVE
                  && s.getProblem().contains("AccessDenied"));
      server.behave();
      pageserver.detach("kept", false);
    }
  }

  /** Nothing is claimed where a second owner could not be kept out, and the caller is told why. */
  @Test
  void aStoreWithoutConditionsIsRefused() throws Exception {
    ExpectedLog.containing("the object store cannot be used: it lacks that");
    server.add(
        r -> r.headers().containsKey("if-none-match"), FaultyS3Server.ignoring("if-none-match"));
    try (TestPageserver pageserver = pageserver()) {
      StatusRuntimeException e =
          assertThrows(
              StatusRuntimeException.class,
              () -> pageserver.attach("unsafe", TestPageserver.primary(primary.port())));
      assertTrue(
          String.valueOf(e.getMessage()).contains("only when none has its name (If-None-Match: *)"),
          e.getMessage());
    }
    assertEquals(0, server.count(r -> r.method().equals("PUT") && r.path().contains("tenants/")));
    assertEquals(
        "0",
        primary.query(
            "postgres",
            "select count(*) from pg_replication_slots where slot_name like '%unsafe%'"));
  }

  /** The manifest that a listing shows is not found: whoever attaches is told soon. */
  @Test
  void listingAndObjectsDisagree() throws Exception {
    ExpectedLog.containing("contradicts itself");
    try (TestPageserver pageserver = pageserver()) {
      pageserver.attach("here", TestPageserver.primary(primary.port()));
      awaitPublished(pageserver, "here");
      pageserver.attach("there", TestPageserver.primary(primary.port()));
      awaitPublished(pageserver, "there");
      Predicate<Request> ofHere = of(pageserver.status("here"));
      pageserver.detach("here", false);
      server.add(
          ofHere.and(r -> r.is("GET", "/manifest/")), FaultyS3Server.answering(404, "NoSuchKey"));
      StatusRuntimeException e =
          assertThrows(
              StatusRuntimeException.class,
              () -> pageserver.attach("here", TestPageserver.primary(primary.port())));
      assertTrue(String.valueOf(e.getMessage()).contains("contradicts itself"), e.getMessage());
      load();
      awaitPublished(pageserver, "there");
      server.behave();
      pageserver.attach("here", TestPageserver.primary(primary.port()));
      awaitPublished(pageserver, "here");
    }
  }

  @Test
  void theProbeIsACommand() throws Exception {
    // The server here creates exclusively, but not in a race.
    String fit = probe(true);
    assertTrue(fit.contains("yes        an object is created only when"), fit);
    server.add(
        r -> r.headers().containsKey("if-none-match"), FaultyS3Server.ignoring("if-none-match"));
    String unfit = probe(false);
    assertTrue(unfit.contains("NO         an object is created only when"), unfit);
    assertTrue(unfit.contains("This object store cannot be used"), unfit);
    assertEquals(List.of(), s3.list(StoreProbe.DIRECTORY));
  }

  private String probe(boolean fitUpToRaces) throws Exception {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("varve.store", "s3://" + BUCKET + "/" + prefix);
    settings.put("varve.s3.endpoint", server.endpoint().toString());
    settings.put("varve.s3.path-style", "true");
    settings.put("varve.s3.access-key", S3Server.ACCESS_KEY);
    settings.put("varve.s3.secret-key", S3Server.SECRET_KEY);
    Path root = Path.of("../..").toAbsolutePath().normalize();
    List<String> command = new ArrayList<>(PageserverProcess.command(root, "256m", settings));
    command.add("probe-store");
    Path log = directory.resolve("probe.log");
    int code =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start()
            .waitFor();
    String said = Files.readString(log);
    String races = "of several that create one object at the same time exactly one succeeds";
    assertEquals(fitUpToRaces && said.contains("yes        " + races) ? 0 : 1, code, said);
    return said;
  }
}
