package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.GetRelationSizeRequest;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.PrimarySource;
import dev.varve.api.v1.RelationFork;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Primaries that cannot be followed, for now or for ever: who attaches one is told what is wrong
 * and what to do; a timeline that follows one shows it in its status, serves what it has, takes no
 * WAL that is not its own, and goes on by itself when the cause is gone.
 */
final class BadSourceIT {
  private static final int MAJOR = 17;
  private static final String PASSWORD = "right";

  private static PostgresServer primary;

  /** Another cluster, whose settings change from test to test. */
  private static PostgresServer spare;

  @TempDir Path directory;
  private final MemoryObjectStore store = new MemoryObjectStore();
  private TestPageserver pageserver;

  @BeforeAll
  static void startPrimary() throws SQLException {
    primary = PostgresServer.builder(MAJOR).password(PASSWORD).start();
    spare =
        PostgresServer.builder(MAJOR)
            .password(PASSWORD)
            .initdbArgument("--wal-segsize=1")
            .setting("min_wal_size", "2MB")
            .create();
    primary.execute(
        "postgres", "create role plain login password 'plain'", "create table t(a int)");
  }

  @AfterAll
  static void stopPrimary() {
    primary.close();
    spare.close();
  }

  @BeforeEach
  void startPageserver() throws IOException {
    pageserver = TestPageserver.start(directory, store, options());
  }

  @AfterEach
  void stopPageserver() {
    pageserver.close();
  }

  private static void startSpare(String walLevel, int walSenders) {
    spare.stop();
    spare.setting("wal_level", walLevel);
    spare.setting("max_wal_senders", Integer.toString(walSenders));
    spare.start();
  }

  private static EngineOptions options() {
    return EngineOptions.defaults().withOpenLayer(8 << 20, Duration.ofMillis(300));
  }

  private static PrimarySource.Builder at(int port) {
    return TestPageserver.primary(port).setPassword(PASSWORD);
  }

  private static PrimarySource.Builder source() {
    return at(primary.port());
  }

  // Attaching

  /** Attaching is refused like that, the message has all of these parts, and nothing stays. */
  private void assertRefused(Status.Code code, PrimarySource.Builder source, String... parts)
      throws SQLException {
    StatusRuntimeException e =
        assertThrows(StatusRuntimeException.class, () -> pageserver.attach("refused", source));
    String message = String.valueOf(e.getStatus().getDescription());
    assertEquals(code, e.getStatus().getCode(), message);
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "'" + part + "' is missing in: " + message);
    }
    e = assertThrows(StatusRuntimeException.class, () -> pageserver.status("refused"));
    assertEquals(Status.Code.NOT_FOUND, e.getStatus().getCode());
    assertEquals("0", primary.query("postgres", "select count(*) from pg_replication_slots"));
  }

  @Test
  void noServerListens() throws Exception {
    int port = FreePort.any();
    assertRefused(
        Status.Code.UNAVAILABLE,
        at(port),
        "127.0.0.1:" + port,
        "cannot be reached",
        "listen_addresses");
  }

  @Test
  void noSuchHost() throws Exception {
    assertRefused(
        Status.Code.UNAVAILABLE,
        source().setHost("no-such-host.invalid"),
        "no-such-host.invalid",
        "no address is known",
        "check the host's name");
  }

  @Test
  void noSuchDatabase() throws Exception {
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        source().setDatabase("shopp"),
        "database \"shopp\" does not exist",
        "name a database that it has");
  }

  @Test
  void credentialsInTheHostAreNotRepeated() throws Exception {
    StatusRuntimeException e =
        assertThrows(
            StatusRuntimeException.class,
            () ->
                pageserver.attach(
                    "refused", source().setHost("postgres://app:hush@db.example/shop")));
    assertEquals(Status.Code.INVALID_ARGUMENT, e.getStatus().getCode());
    assertTrue(String.valueOf(e.getMessage()).contains("leave out scheme"), e::toString);
    assertFalse(e.toString().contains("hush"), e::toString);
  }

  @Test
  void somethingElseListens() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual()
          .start(() -> {
            try (var socket = listener.accept()) {
              socket
                  .getOutputStream()
                  .write("SSH-2.0-OpenSSH_9.2\r\n".getBytes(StandardCharsets.US_ASCII));
              socket.getInputStream().readAllBytes();
            } catch (IOException e) {
              // The client hung up.
            }
          });
      assertRefused(
          Status.Code.UNAVAILABLE,
          at(listener.getLocalPort()),
          "is it PostgreSQL that listens there?");
    }
  }

  @Test
  void wrongPassword() throws Exception {
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        source().setPassword("wrong"),
        "password authentication failed for user \"postgres\"",
        "check user, password",
        "pg_hba.conf");
  }

  @Test
  void noPassword() throws Exception {
    assertRefused(Status.Code.INVALID_ARGUMENT, source().setPassword(""), "none was given");
  }

  @Test
  void unknownRole() throws Exception {
    assertRefused(
        Status.Code.INVALID_ARGUMENT, source().setUser("nobody"), "\"nobody\"", "check user");
  }

  @Test
  void roleWithoutReplication() throws Exception {
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        source().setUser("plain").setPassword("plain"),
        "ALTER ROLE \"plain\" REPLICATION");
  }

  @Test
  void noTls() throws Exception {
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        source().setSslMode("require"),
        "does not offer TLS",
        "ssl = on");
  }

  @Test
  void walLevelMinimal() throws Exception {
    startSpare("minimal", 0);
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        at(spare.port()),
        "wal_level = minimal",
        "set wal_level = replica and max_wal_senders",
        "restart");
  }

  @Test
  void noWalSender() throws Exception {
    startSpare("replica", 0);
    assertRefused(
        Status.Code.INVALID_ARGUMENT,
        at(spare.port()),
        "set max_wal_senders to 2 or more",
        "restart");
  }

  /** Who attaches is told; the operator, whose attachments go on trying, reads it in the status. */
  @Test
  void noReplicationSlotIsLeft() throws Exception {
    spare.setting("max_replication_slots", "1");
    startSpare("replica", 4);
    spare.execute("postgres", "select pg_create_physical_replication_slot('only')");
    try {
      assertRefused(
          Status.Code.INVALID_ARGUMENT,
          at(spare.port()),
          "max_replication_slots = 1 and max_wal_senders = 4",
          "drop slots that nobody uses");
      ExpectedLog.containing("has no room for another timeline");
      pageserver.attach("counted", at(spare.port()), 1);
      TimelineStatus status =
          pageserver.await("counted", "refused", s -> !s.getProblem().isEmpty());
      assertEquals(1, status.getFullSource().getMaxReplicationSlots());
      assertEquals(4, status.getFullSource().getMaxWalSenders());
      pageserver.detach("counted", false);
    } finally {
      spare.execute("postgres", "select pg_drop_replication_slot('only')");
      spare.setting("max_replication_slots", "10");
    }
  }

  @Test
  void logicalSlotOfThatName() throws Exception {
    startSpare("logical", 4);
    spare.execute(
        "postgres", "select pg_create_logical_replication_slot('varve_refused', 'pgoutput')");
    assertRefused(Status.Code.INVALID_ARGUMENT, at(spare.port()), "is logical", "name another");
    spare.execute("postgres", "select pg_drop_replication_slot('varve_refused')");
  }

  // Following

  private void attach(String timeline, PrimarySource.Builder source) throws InterruptedException {
    ExpectedLog.containing(TestPageserver.TENANT + "/" + timeline + ": ");
    pageserver.attach(timeline, source);
    pageserver.await(timeline, "active", BadSourceIT::active);
  }

  private static boolean active(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE
        && status.getReceivedLsn() != 0
        && status.getPrimaryLsn() != 0
        && status.getProblem().isEmpty();
  }

  private static boolean isFailing(TimelineStatus status, String... parts) {
    return status.getState() == TimelineState.TIMELINE_STATE_SOURCE_FAILING
        && List.of(parts).stream().allMatch(status.getProblem()::contains);
  }

  /** Everything that the primary has written arrives, and the failure is forgotten. */
  private void awaitAll(String timeline, PostgresServer server) throws Exception {
    server.execute("postgres", "create table if not exists t(a int)", "insert into t values (1)");
    long lsn = lsn(server);
    pageserver.await(timeline, "caught up", s -> active(s) && s.getReceivedLsn() >= lsn);
  }

  private static long lsn(PostgresServer server) throws SQLException {
    return Long.parseLong(server.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
  }

  /** What was received can be read, whatever the primary is up to. */
  private void assertReadable(String timeline) {
    var pgDatabase = RelationFork.newBuilder().setTablespaceOid(1664).setRelationNumber(1262);
    assertTrue(
        PageServiceGrpc.newBlockingStub(pageserver.channel())
            .getRelationSize(
                GetRelationSizeRequest.newBuilder()
                    .setTimeline(TestPageserver.TENANT + "/" + timeline)
                    .setLsn(pageserver.status(timeline).getReceivedLsn())
                    .setRelation(pgDatabase)
                    .build())
            .getExists());
  }

  @Test
  void primaryRestartsAndCrashes() throws Exception {
    attach("restart", source());
    primary.stop();
    pageserver.await("restart", "failing", s -> isFailing(s, "cannot be reached"));
    assertReadable("restart");
    primary.start();
    awaitAll("restart", primary);
    primary.stopImmediately();
    primary.start();
    awaitAll("restart", primary);
    pageserver.detach("restart", true);
  }

  @Test
  void networkFailsAndPasswordChanges() throws Exception {
    try (Relay relay = new Relay(primary.port())) {
      primary.execute("postgres", "create role copier login replication password 'first'");
      attach("cut", at(relay.port()).setUser("copier").setPassword("first"));
      relay.pointTo(0);
      pageserver.await("cut", "failing", s -> isFailing(s, "127.0.0.1:" + relay.port()));
      primary.execute(
          "postgres",
          "insert into t select generate_series(1, 10000)",
          "alter role copier password 'second'");
      assertReadable("cut");
      relay.pointTo(primary.port());
      pageserver.await("cut", "failing", s -> isFailing(s, "check user, password"));
      primary.execute("postgres", "alter role copier password 'first'");
      awaitAll("cut", primary);
      pageserver.detach("cut", true);
    }
  }

  @Test
  void slotIsDropped() throws Exception {
    attach("dropped", source());
    dropSlot(primary, "varve_dropped");
    TimelineStatus status =
        pageserver.await(
            "dropped", "failing", s -> isFailing(s, "\"varve_dropped\" does not exist"));
    assertTrue(
        status.getProblem().contains("pg_create_physical_replication_slot('varve_dropped', true)"));
    assertReadable("dropped");
    primary.execute(
        "postgres", "select pg_create_physical_replication_slot('varve_dropped', true)");
    awaitAll("dropped", primary);
    pageserver.detach("dropped", true);
  }

  /** A slot in use cannot be dropped, and its user comes back at once. */
  private static void dropSlot(PostgresServer server, String slot) throws SQLException {
    while (true) {
      try {
        server.execute(
            "postgres",
            "select pg_terminate_backend(active_pid, 1000) from pg_replication_slots where slot_name = '"
                + slot
                + "'",
            "select pg_drop_replication_slot('" + slot + "')");
        return;
      } catch (SQLException e) {
        if (!"55006".equals(e.getSQLState())) {
          throw e;
        }
      }
    }
  }

  @Test
  void slotIsUsedByAnother() throws Exception {
    try (TestPageserver other =
        TestPageserver.start(directory.resolve("other"), new MemoryObjectStore(), options())) {
      other.attach("first", source().setSlot("shared"));
      other.await("first", "active", s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
      ExpectedLog.containing(TestPageserver.TENANT + "/second: ");
      pageserver.attach("second", source().setSlot("shared"));
      pageserver.await(
          "second",
          "failing",
          s -> isFailing(s, "\"shared\" is active", "is another pageserver or standby using"));
      StatusRuntimeException e =
          assertThrows(
              StatusRuntimeException.class,
              () -> pageserver.attach("third", source().setSlot("shared")));
      assertEquals(Status.Code.INVALID_ARGUMENT, e.getStatus().getCode());
      other.detach("first", false);
    }
    awaitAll("second", primary);
    pageserver.detach("second", true);
  }

  @Test
  void walIsGone() throws Exception {
    startSpare("replica", 4);
    attach("gone", at(spare.port()));
    TimelineStatus before =
        pageserver.await("gone", "published", s -> s.getPublishedLsn() >= s.getReadableFromLsn());
    pageserver.close();
    spare.execute("postgres", "alter system set max_slot_wal_keep_size = '1MB'");
    spare.execute("postgres", "select pg_reload_conf()");
    for (int i = 0; i < 4; i++) {
      spare.execute(
          "postgres", "select pg_switch_wal()", "create table g" + i + "()", "checkpoint");
    }
    assertEquals("lost", spare.query("postgres", "select wal_status from pg_replication_slots"));

    pageserver = TestPageserver.start(directory, store, options());
    pageserver.await(
        "gone",
        "failing",
        s ->
            isFailing(
                s,
                "\"varve_gone\" keeps no WAL (wal_status lost)",
                "max_slot_wal_keep_size",
                "under another name"));
    spare.execute(
        "postgres",
        "select pg_drop_replication_slot('varve_gone')",
        "select pg_create_physical_replication_slot('varve_gone', true)");
    TimelineStatus after =
        pageserver.await(
            "gone",
            "failing",
            s -> isFailing(s, "no longer has the WAL from", "under another name"));
    assertTrue(after.getReceivedLsn() <= before.getReceivedLsn(), "took WAL after a gap");
    assertReadable("gone");

    attach("anew", at(spare.port()));
    awaitAll("anew", spare);
    pageserver.detach("anew", true);
    pageserver.detach("gone", true);
  }

  @Test
  void anotherClusterAnswers() throws Exception {
    startSpare("replica", 4);
    try (Relay relay = new Relay(primary.port())) {
      attach("other", at(relay.port()));
      TimelineStatus before = pageserver.status("other");
      relay.pointTo(spare.port());
      TimelineStatus status =
          pageserver.await("other", "failing", s -> isFailing(s, "has system identifier"));
      assertTrue(
          status.getProblem().contains(Long.toUnsignedString(before.getSystemIdentifier())),
          status.getProblem());
      // As if it came back under the name and the slot of the old one.
      spare.execute(
          "postgres",
          "select pg_create_physical_replication_slot('varve_other', true)",
          "create table u as select generate_series(1, 10000)");
      status = pageserver.status("other");
      assertTrue(isFailing(status, "has system identifier"), status.getProblem());
      assertReadable("other");

      pageserver.detach("other", false);
      assertRefusedAgain("other", at(relay.port()), "has system identifier");
      relay.pointTo(primary.port());
      attach("other", at(relay.port()));
      awaitAll("other", primary);
      pageserver.detach("other", true);
      spare.execute("postgres", "select pg_drop_replication_slot('varve_other')");
    }
  }

  private void assertRefusedAgain(String timeline, PrimarySource.Builder source, String part) {
    StatusRuntimeException e =
        assertThrows(StatusRuntimeException.class, () -> pageserver.attach(timeline, source));
    assertEquals(Status.Code.INVALID_ARGUMENT, e.getStatus().getCode());
    assertTrue(String.valueOf(e.getStatus().getDescription()).contains(part), e.getMessage());
  }
}
