package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** BRIN and generic redo against real PostgreSQL; the extension bloom writes generic records. */
class BrinOracleIT {
  private static final List<String> REACHED =
      List.of(
          "BRIN/0x0/0",
          "BRIN/0x10/0",
          "BRIN/0x10/1",
          "BRIN/0x90/0",
          "BRIN/0x90/1",
          "BRIN/0x20/0",
          "BRIN/0x20/1",
          "BRIN/0x20/2",
          "BRIN/0xa0/0",
          "BRIN/0xa0/1",
          "BRIN/0xa0/2",
          "BRIN/0x30/0",
          "BRIN/0x40/0",
          "BRIN/0x40/1",
          "BRIN/0x50/0",
          "BRIN/0x50/1",
          "Generic/0x0/0",
          "Generic/0x0/1");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(17, 20), BrinOracleIT::workload);
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }

  private static void workload(PostgresServer server, Connection connection, Statement sql)
      throws Exception {
    // One row a heap page and one page a range: a revmap of several pages, whose extension
    // evacuates regular pages.
    sql.execute("create table ranges (id int, t text) with (fillfactor = 10)");
    sql.execute("alter table ranges alter t set storage plain");
    sql.execute("create index ranges_id on ranges using brin (id, t) with (pages_per_range = 1)");
    sql.execute(
        "insert into ranges select i, to_char(i, 'FM000000') || repeat('x', 900) from generate_series(1, 3200) i");
    sql.execute("vacuum ranges");
    sql.execute("select brin_summarize_new_values('ranges_id')");
    // Summaries that grow move to other pages, those that do not stay.
    sql.execute("create table grows (id int, t text)");
    sql.execute("alter table grows alter t set storage plain");
    sql.execute(
        "create index grows_t on grows using brin (t) with (pages_per_range = 1, autosummarize = off)");
    sql.execute("create index grows_id on grows using brin (id) with (pages_per_range = 1)");
    sql.execute("insert into grows select i, 'k' from generate_series(1, 20000) i");
    sql.execute("vacuum grows");
    sql.execute("delete from grows where id % 2 = 0");
    sql.execute("vacuum grows");
    for (int length = 10; length < 1000; length += 110) {
      sql.execute(
          "insert into grows select -i * "
              + length
              + ", repeat('z', "
              + length
              + ") from generate_series(1, 200) i");
    }
    // Ranges lose their summaries and get them again.
    for (int block = 0; block < 2000; block += 13) {
      sql.execute("select brin_desummarize_range('ranges_id', " + block + ")");
    }
    sql.execute("select brin_summarize_new_values('ranges_id')");
    sql.execute("select brin_desummarize_range('grows_id', 3)");
    sql.execute("select brin_summarize_range('grows_id', 3)");
    sql.execute("create table multi (id int)");
    sql.execute(
        "create index multi_id on multi using brin (id int4_minmax_multi_ops) with (pages_per_range = 1)");
    sql.execute(
        "create index multi_bloom on multi using brin (id int4_bloom_ops) with (pages_per_range = 2)");
    sql.execute("insert into multi select (i * 7919) % 100003 from generate_series(1, 5000) i");
    sql.execute("vacuum multi");
    sql.execute("insert into multi select (i * 7907) % 100003 from generate_series(1, 5000) i");
    sql.execute("vacuum multi");
    // Generic records.
    sql.execute("create extension bloom");
    sql.execute("create table blooms (a int, b int)");
    sql.execute("create index blooms_ab on blooms using bloom (a, b)");
    sql.execute("insert into blooms select i, i * 7 from generate_series(1, 8000) i");
    sql.execute("delete from blooms where a % 3 = 0");
    sql.execute("vacuum blooms");
    sql.execute("insert into blooms select i, i * 7 from generate_series(1, 4000) i");
    sql.execute("delete from blooms");
    sql.execute("vacuum blooms");
    sql.execute("insert into blooms select i, i * 7 from generate_series(1, 1000) i");
  }
}
