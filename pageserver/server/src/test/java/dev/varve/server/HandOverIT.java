package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A timeline moves from one pageserver to another while it is read: by hand-over, and without one
 * when the first does not know that it was replaced.
 */
final class HandOverIT {
  private static final String TIMELINE = "main";
  private static final String TABLE = "t";

  @TempDir Path directory;

  private final MemoryObjectStore objects = new MemoryObjectStore();
  private final FaultyObjectStore store = new FaultyObjectStore(objects, 1, 0);
  private PostgresServer primary;
  private TestPageserver a;
  private TestPageserver b;

  @BeforeEach
  void start() throws Exception {
    primary = PostgresServer.builder(17).checksums(true).setting("autovacuum", "off").start();
    primary.execute(
        "postgres",
        "create table " + TABLE + "(a int primary key, b text)",
        "insert into t select i, md5(i::text) from generate_series(1, 50000) i",
        "create table still as select i, md5(i::text) from generate_series(1, 20000) i",
        "vacuum (freeze) still");
    a = TestPageserver.start(directory.resolve("a"), store, EngineOptions.defaults());
    b = TestPageserver.start(directory.resolve("b"), objects, EngineOptions.defaults());
    a.attach(TIMELINE, TestPageserver.primary(primary.port()), 1);
    a.await(TIMELINE, "readable", HandOverIT::active);
  }

  @AfterEach
  void stop() {
    a.close();
    b.close();
    primary.close();
  }

  private static boolean active(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE
        && status.getReadableFromLsn() != 0
        && status.getPrimaryLsn() != 0;
  }

  private long lsn() throws SQLException {
    return Long.parseLong(primary.query("postgres", "select pg_current_wal_flush_lsn() - '0/0'"));
  }

  /** Writes rows and returns where they end, frozen and on the primary's disk. */
  private long write(String rows) throws SQLException {
    primary.execute(
        "postgres", "insert into t select i, md5(i::text) from generate_series(" + rows + ") i");
    primary.execute("postgres", "vacuum (freeze) " + TABLE);
    primary.execute("postgres", "checkpoint");
    return lsn();
  }

  private static ServedPages pages(TestPageserver pageserver) {
    return new ServedPages(pageserver.channel(), TestPageserver.TENANT + "/" + TIMELINE);
  }

  /** What the object store holds: name and length. */
  private Map<String, Long> stored() throws Exception {
    Map<String, Long> all = new TreeMap<>();
    objects.list("").forEach(entry -> all.put(entry.name(), entry.length()));
    return all;
  }

  @Test
  void readsGoOnFromHandOverToDetach() throws Exception {
    long before = write("50001, 60000");
    a.await(TIMELINE, "received", s -> s.getReceivedLsn() >= before);
    AtomicBoolean reading = new AtomicBoolean(true);
    AtomicInteger reads = new AtomicInteger();
    AtomicReference<Throwable> failed = new AtomicReference<>();
    Thread reader =
        Thread.ofPlatform()
            .start(() -> {
              try {
                while (reading.get()) {
                  pages(a).assertSame(primary, "still", 0, before);
                  reads.incrementAndGet();
                }
              } catch (Exception | AssertionError e) {
                failed.set(e);
              }
            });

    TimelineStatus handedOver = handOver(a);
    assertEquals(handedOver.getPublishedLsn(), a.handOver(TIMELINE), "not the same when repeated");
    Map<String, Long> objectsThen = stored();
    long after = write("60001, 70000");
    assertEquals(handedOver.getReceivedLsn(), a.status(TIMELINE).getReceivedLsn());
    assertEquals(
        Status.Code.ABORTED.value(), pages(a).firstPage(primary, TABLE, after).getStatusCode());
    assertEquals(objectsThen, stored(), "written after the hand-over");

    long start = System.nanoTime();
    b.attach(TIMELINE, TestPageserver.primary(primary.port()), 2);
    b.await(TIMELINE, "caught up", s -> active(s) && s.getReceivedLsn() >= after);
    System.out.println("caught up in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    int readsUntilNow = reads.get();
    while (reads.get() < readsUntilNow + 3 && failed.get() == null) {
      Thread.onSpinWait();
    }
    reading.set(false);
    reader.join();
    if (failed.get() != null) {
      throw new AssertionError("a read failed at A", failed.get());
    }
    a.detach(TIMELINE, false);
    assertEquals(
        Status.Code.ABORTED.value(), pages(a).firstPage(primary, TABLE, before).getStatusCode());
    assertTrue(pages(b).assertSame(primary, TABLE, 0, after) > 500);
    assertTrue(pages(b).assertSame(primary, TABLE + "_pkey", 0, after) > 150);

    long end = write("70001, 80000");
    b.await(TIMELINE, "receiving", s -> s.getReceivedLsn() >= end);
    assertTrue(pages(b).assertSame(primary, TABLE, 0, end) > 600);
    restartForgets();
  }

  private static TimelineStatus handOver(TestPageserver pageserver) {
    long start = System.nanoTime();
    long published = pageserver.handOver(TIMELINE);
    System.out.println("handed over in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    TimelineStatus status = pageserver.status(TIMELINE);
    assertEquals(TimelineState.TIMELINE_STATE_HANDED_OVER, status.getState());
    assertEquals("", status.getProblem());
    assertEquals(published, status.getPublishedLsn());
    assertEquals(published, status.getReceivedLsn());
    assertTrue(published > status.getReadableFromLsn());
    return status;
  }

  private void restartForgets() throws Exception {
    a.close();
    a = TestPageserver.start(directory.resolve("a"), store, EngineOptions.defaults());
    StatusRuntimeException e = assertThrows(StatusRuntimeException.class, () -> a.status(TIMELINE));
    assertEquals(Status.Code.NOT_FOUND, e.getStatus().getCode());
  }

  /** Nobody told A; it is idle, so that it commits no manifest that would be refused. */
  @Test
  void slotIsTakenFromWhoeverWasReplacedWithoutKnowing() throws Exception {
    long before = write("50001, 60000");
    a.await(TIMELINE, "published", s -> s.getPublishedLsn() >= before && s.getLagBytes() == 0);
    long start = System.nanoTime();
    b.attach(TIMELINE, TestPageserver.primary(primary.port()), 2);
    b.await(TIMELINE, "receiving", s -> active(s) && s.getReceivedLsn() >= before);
    System.out.println("slot taken in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    long after = write("60001, 70000");
    b.await(TIMELINE, "receiving", s -> s.getReceivedLsn() >= after);
    ExpectedLog.containing(TestPageserver.TENANT + "/" + TIMELINE);
    TimelineStatus replaced =
        a.await(TIMELINE, "fenced", s -> s.getState() == TimelineState.TIMELINE_STATE_HANDED_OVER);
    assertTrue(replaced.getProblem().contains("generation 1 stops"), replaced.getProblem());
    assertTrue(pages(b).assertSame(primary, TABLE, 0, after) > 500);
    assertEquals(0, pages(a).firstPage(primary, TABLE, before).getStatusCode());
    assertEquals(replaced.getPublishedLsn(), a.handOver(TIMELINE));
  }

  @Test
  void receivesOnWhenItCannotPublish() throws Exception {
    ExpectedLog.containing("the store does not answer");
    store.setDown(true);
    long before = write("50001, 60000");
    a.await(TIMELINE, "received", s -> s.getReceivedLsn() >= before);
    StatusRuntimeException e =
        assertThrows(StatusRuntimeException.class, () -> a.handOver(TIMELINE));
    assertEquals(Status.Code.UNAVAILABLE, e.getStatus().getCode());
    long after = write("60001, 70000");
    TimelineStatus status =
        a.await(TIMELINE, "receiving", s -> s.getReceivedLsn() >= after && active(s));
    assertFalse(status.getProblem().isEmpty());
    store.setDown(false);
    handOver(a);
    assertTrue(pages(a).assertSame(primary, TABLE, 0, after) > 500);
  }
}
