package dev.varve.local;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.varve.testkit.Amcheck;
import dev.varve.testkit.DdlRich;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Stock PostgreSQL on a thin image and a page mount has the primary's data at that LSN: after
 * ordinary load, after a script rich in DDL, and from a pageserver that knows the object store
 * alone.
 */
@EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
final class MountedDatabaseIT {
  private static final String SEARCH = "default_text_search_config";
  private static final String GERMAN = "pg_catalog.german";

  @ParameterizedTest
  @CsvSource({"15, true", "16, false", "17, false", "17, true", "18, false", "18, true"})
  void hasThePrimarysData(int major, boolean checksums) throws Exception {
    Pageservers pageservers = Pageservers.create();
    Path tablespace = DdlRich.tablespaceDirectory();
    // Autovacuum would go on writing between the look at the tables and the look at the LSN.
    PostgresServer primary =
        PostgresServer.builder(major)
            .checksums(checksums)
            .setting("autovacuum", "off")
            .setting(SEARCH, GERMAN)
            .start();
    PageserverProcess pageserver = pageservers.start();
    try {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      pageserver.attach(primary.port());
      pageserver.awaitAttached();
      load.run(2, 1, done -> done >= 300);
      SortedMap<String, String> before = TableHashes.of(primary);
      long middle = LocalRun.lsn(primary);
      pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= middle);
      check(pageservers, major, middle, "first", before);

      DdlRich.run(primary, tablespace);
      long later = LocalRun.lsn(primary);
      pageserver.awaitStatus("publishing", status -> status.getPublishedLsn() >= later);
      pageserver.kill();
      pageservers.wipe();
      pageserver = pageservers.start();
      pageserver.attach(primary.port());
      pageserver.awaitAttached();
      SortedMap<String, String> after = TableHashes.of(primary);
      long end = LocalRun.lsn(primary);
      pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= end);
      check(pageservers, major, end, "second", after);
      check(pageservers, major, middle, "past", before);
    } finally {
      pageserver.stop();
      primary.close();
      pageservers.delete();
      PostgresServer.deleteTree(tablespace);
    }
  }

  private static void check(
      Pageservers pageservers, int major, long lsn, String name, SortedMap<String, String> expected)
      throws Exception {
    ComputeProcess compute = pageservers.compute(major, lsn, name);
    try {
      compute.awaitQuery("select 1");
      assertEquals(expected, TableHashes.of(compute.server()));
      assertEquals(GERMAN, compute.query("show " + SEARCH));
      if (!compute.query("select gid from pg_prepared_xacts").isEmpty()) {
        // Left open on the primary; its locks would hold up the checks.
        compute.execute("commit prepared 'three'");
        assertEquals("2", compute.query("select count(*) from two_phase"));
      }
      assertEquals(List.of(), Amcheck.complaints(compute.server()));
      compute.execute(
          "create table written(i int primary key)",
          "insert into written select generate_series(1, 10000)",
          "vacuum written");
      compute.restart();
      assertEquals("10000", compute.query("select count(*) from written"));
    } finally {
      compute.stop();
    }
    assertEquals(
        List.of(),
        compute
            .log()
            .lines()
            .filter(line -> line.matches(".*\\b(WARNING|ERROR|PANIC|SEVERE)\\b.*"))
            .toList());
  }
}
