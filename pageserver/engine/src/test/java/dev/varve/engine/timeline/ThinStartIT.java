package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.testkit.Amcheck;
import dev.varve.testkit.DdlRich;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SortedMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Stock PostgreSQL starts from a thin image and the pages of a timeline, at several LSNs and after
 * the local disk was wiped, and has the primary's data.
 */
final class ThinStartIT {
  @ParameterizedTest
  @CsvSource({"17, false", "17, true", "18, false", "18, true"})
  void startsWithThePrimarysData(int major, boolean checksums, @TempDir Path directory)
      throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    Path tablespace = DdlRich.tablespaceDirectory();
    EngineOptions options = EngineOptions.defaults().withOpenLayer(1 << 20, Duration.ofMillis(200));
    try (CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        PostgresServer primary =
            PostgresServer.builder(major)
                .checksums(checksums)
                .setting("autovacuum", "off") // it would write between the look and its LSN
                .setting("full_page_writes", "off")
                .setting("wal_keep_size", "4GB")
                .start()) {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      PrimaryFeed feed = new PrimaryFeed(primary);
      TimelineName id = new TimelineName("acme", "main");
      SortedMap<String, String> before;
      long middle;
      try (Tenants tenants =
          new Tenants(store, directory.resolve("cache"), options, System::nanoTime)) {
        Timeline timeline = tenants.attach(id, 0);
        feed.importBackup(timeline, copy, () -> load.run(2, major, done -> done >= 200));
        load.run(2, 7, done -> done >= 500);
        feed.catchUp(timeline);
        before = TableHashes.of(primary);
        feed.catchUp(timeline);
        middle = timeline.receivedLsn();
        check(major, timeline, middle, before);
        DdlRich.run(primary, tablespace);
        feed.catchUp(timeline);
        timeline.flush();
        while (timeline.publishedLsn() != timeline.receivedLsn()) {
          Thread.sleep(10);
        }
      }
      // Another pageserver, with an empty disk.
      try (Tenants tenants =
          new Tenants(store, directory.resolve("other"), options, System::nanoTime)) {
        Timeline timeline = tenants.attach(id, 0);
        check(major, timeline, middle, before);
        load.run(2, 9, done -> done >= 300);
        SortedMap<String, String> after = TableHashes.of(primary);
        feed.catchUp(timeline);
        check(major, timeline, timeline.receivedLsn(), after);
      }
    } finally {
      PostgresServer.deleteTree(copy);
      PostgresServer.deleteTree(tablespace);
    }
  }

  private static void check(
      int major, Timeline timeline, long lsn, SortedMap<String, String> expected) throws Exception {
    Path data = PostgresServer.temporaryDirectory();
    try {
      EagerLayout.layOut(timeline, lsn, data);
      PostgresServer.Builder builder =
          PostgresServer.builder(major)
              .setting("full_page_writes", "off")
              .setting("allow_in_place_tablespaces", "on");
      try (PostgresServer compute = builder.on(data)) {
        compute.start();
        assertEquals(expected, TableHashes.of(compute));
        if (!compute.query("postgres", "select gid from pg_prepared_xacts").isEmpty()) {
          // The transaction that was left open on the primary ends here as well, or its locks would
          // hold up the checks.
          compute.execute("postgres", "commit prepared 'three'");
          assertEquals("2", compute.query("postgres", "select count(*) from two_phase"));
        }
        assertEquals(List.of(), Amcheck.complaints(compute));
        compute.execute(
            "postgres", "create table written(i int)", "insert into written values (1)");
        compute.restart();
        assertEquals("1", compute.query("postgres", "select count(*) from written"));
        assertTrue(
            compute.log().lines().noneMatch(line -> line.matches(".*(WARNING|ERROR|PANIC):.*")),
            compute.log());
      }
    } finally {
      PostgresServer.deleteTree(data);
      assertTrue(!Files.exists(data));
    }
  }
}
