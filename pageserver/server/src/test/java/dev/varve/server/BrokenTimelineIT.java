package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.engine.EngineOptions;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.PostgresServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A promoted cluster with a tablespace in place, copied over the replication protocol; and what is
 * left to do with a timeline whose state cannot be read any more.
 */
final class BrokenTimelineIT {
  private static final int MAJOR = 17;

  @TempDir Path directory;
  private final MemoryObjectStore store = new MemoryObjectStore();

  private TestPageserver pageserver() throws IOException {
    return TestPageserver.start(directory, store, EngineOptions.defaults());
  }

  @Test
  void isReportedInWordsAndCanBeDeletedAndAttachedAgain() throws Exception {
    try (PostgresServer primary =
        PostgresServer.builder(MAJOR)
            .setting("restore_command", "false")
            .setting("allow_in_place_tablespaces", "on")
            .create()) {
      promote(primary);
      primary.execute(
          "postgres",
          "create tablespace place location ''",
          "create tablespace unused location ''",
          "create table t tablespace place as select 1 as i");
      try (TestPageserver pageserver = pageserver()) {
        attach(primary, pageserver);
        image(primary, pageserver);
      }
      // The same after a restart.
      try (TestPageserver pageserver = pageserver()) {
        pageserver.await(
            "main", "active", s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
        image(primary, pageserver);
      }
      for (FormatCase other : FormatCase.values()) {
        Map.Entry<String, byte[]> before = replaceNewestManifest(other);
        ExpectedLog.containing("test/main: stopped");
        try (TestPageserver pageserver = pageserver()) {
          pageserver.leaveStoreUnchecked("its newest manifest is another release's");
          TimelineStatus broken =
              pageserver.await(
                  "main", "broken", s -> s.getState() == TimelineState.TIMELINE_STATE_BROKEN);
          assertTrue(broken.getProblem().contains(other.said), broken::getProblem);
          StatusRuntimeException refused =
              assertThrows(StatusRuntimeException.class, () -> files(pageserver));
          assertEquals(Status.Code.UNIMPLEMENTED, refused.getStatus().getCode());
          assertTrue(refused.getMessage().contains(other.said), refused::getMessage);
        }
        store.put(before.getKey(), before.getValue());
      }
      damageLayers();
      ExpectedLog.containing("test/main: stopped");
      try (TestPageserver pageserver = pageserver()) {
        TimelineStatus broken =
            pageserver.await(
                "main", "broken", s -> s.getState() == TimelineState.TIMELINE_STATE_BROKEN);
        assertEquals("main", broken.getTimeline());
        assertTrue(broken.getProblem().contains("checksum"), broken::getProblem);
        StatusRuntimeException refused =
            assertThrows(StatusRuntimeException.class, () -> files(pageserver));
        assertTrue(refused.getMessage().contains("checksum"), refused::getMessage);
        pageserver.delete("main");
        assertThrows(StatusRuntimeException.class, () -> pageserver.status("main"));
        assertEquals(0, store.list("").stream().filter(e -> e.name().contains("/main/")).count());
        attach(primary, pageserver);
        image(primary, pageserver);
        pageserver.detach("main", true);
      }
    }
  }

  /** A manifest that another release wrote. */
  private enum FormatCase {
    NEWER("is too new: format version", 1),
    OLDER("is too old: it has format version", -1);

    private final String said;
    private final int versions;

    FormatCase(String said, int versions) {
      this.said = said;
      this.versions = versions;
    }

    byte[] of(byte[] manifest) {
      int version = FileKind.MANIFEST.version() + versions;
      return Envelope.seal(
          FileKind.MANIFEST,
          new Envelope.Head(version, version, 0, 0),
          Envelope.body(FileKind.MANIFEST, "manifest", manifest));
    }
  }

  /** Has the newest manifest written by another release; what it was before. */
  private Map.Entry<String, byte[]> replaceNewestManifest(FormatCase other) throws IOException {
    String newest =
        store.list("").stream()
            .map(ObjectEntry::name)
            .filter(name -> name.contains("/manifest/"))
            .max(Comparator.naturalOrder())
            .orElseThrow();
    byte[] before = store.get(newest);
    store.put(newest, other.of(before));
    return Map.entry(newest, before);
  }

  private static void promote(PostgresServer primary) throws Exception {
    Path signal = primary.dataDirectory().resolve("recovery.signal");
    Files.createFile(signal);
    PostgresServer.own(signal);
    primary.start();
    primary.await("select not pg_is_in_recovery()", "it is promoted");
  }

  private static void attach(PostgresServer primary, TestPageserver pageserver) throws Exception {
    pageserver.attach("main", TestPageserver.primary(primary.port()));
    pageserver.await("main", "active", s -> s.getState() == TimelineState.TIMELINE_STATE_ACTIVE);
    long lsn = Lsn.parse(primary.currentLsn());
    pageserver.await("main", "caught up", s -> s.getPublishedLsn() >= lsn);
  }

  private static void image(PostgresServer primary, TestPageserver pageserver) throws Exception {
    Map<String, byte[]> files = files(pageserver);
    assertArrayEquals(
        Files.readAllBytes(primary.dataDirectory().resolve("pg_wal/00000002.history")),
        files.get("pg_wal/00000002.history"));
    String places =
        primary.query(
            "postgres",
            "select string_agg('pg_tblspc/' || oid || '/', ' ' order by oid) from pg_tablespace"
                + " where oid > 16000");
    for (String place : places.split(" ", -1)) {
      assertTrue(files.containsKey(place), files.keySet()::toString);
    }
  }

  private static Map<String, byte[]> files(TestPageserver pageserver) throws IOException {
    return ServedImage.read(
            pageserver.channel(),
            GetThinImageRequest.newBuilder().setTimeline(TestPageserver.TENANT + "/main").build())
        .files();
  }

  /** Of every layer the first block, in the store and on the local disk. */
  private void damageLayers() throws IOException {
    for (ObjectEntry entry : store.list("")) {
      if (entry.length() > 4096) {
        byte[] bytes = store.get(entry.name());
        for (int at = 100; at < 2000; at++) {
          bytes[at] ^= 0x5A;
        }
        store.put(entry.name(), bytes);
      }
    }
    PostgresServer.deleteTree(directory.resolve("layers"));
  }
}
