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

/** GIN redo against real PostgreSQL: entry trees, posting trees, the pending list, vacuum. */
class GinOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Gin/0x10/0",
          "Gin/0x20/0",
          "Gin/0x20/1",
          "Gin/0x30/3",
          "Gin/0x50/0",
          "Gin/0x50/1",
          "Gin/0x50/2",
          "Gin/0x60/0",
          "Gin/0x60/1",
          "Gin/0x70/0",
          "Gin/0x80/0",
          "Gin/0x80/1",
          "Gin/0x90/0");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(13), GinOracleIT::workload);
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }

  private static void workload(PostgresServer server, Connection connection, Statement sql)
      throws Exception {
    // Straight insertion: one heavy key per row makes posting trees of several levels, many light
    // ones an entry tree.
    sql.execute("create table direct (id int, v int[])");
    sql.execute("create index direct_v on direct using gin (v) with (fastupdate = off)");
    sql.execute(
        "insert into direct select i, array[i % 3, 100 + i % 500, 1000 + i] from generate_series(1, 25000) i");
    // Wide keys: splits of inner entry pages.
    sql.execute("create table wide (id int, v text[])");
    sql.execute("create index wide_v on wide using gin (v) with (fastupdate = off)");
    sql.execute(
        "insert into wide select i, array[(select string_agg(md5(i || ' ' || j), '') from generate_series(1, 30) j)] from generate_series(1, 500) i");
    // Scattered vacuum and refilling: TIDs are added in the middle of segments.
    sql.execute("delete from direct where id % 7 = 3");
    sql.execute("vacuum direct");
    sql.execute(
        "insert into direct select i, array[i % 3, 100 + i % 700] from generate_series(1, 6000) i");
    sql.execute("delete from direct where id % 2 = 0 or id > 20000");
    sql.execute("vacuum direct");
    sql.execute("insert into direct select i, array[i % 2, 7] from generate_series(1, 4000) i");
    // Pages of posting trees go.
    sql.execute("create table gone (id int, v int[])");
    sql.execute("create index gone_v on gone using gin (v) with (fastupdate = off)");
    sql.execute("insert into gone select i, array[1] from generate_series(1, 60000) i");
    sql.execute("delete from gone where id between 5000 and 55000");
    sql.execute("vacuum gone");
    sql.execute("insert into gone select i, array[1] from generate_series(1, 20000) i");
    sql.execute("delete from gone where id < 15000");
    sql.execute("vacuum gone");
    // The pending list: pages of one row's tuples, rows over several pages, appending, cleaning up.
    sql.execute("create table pending (id int, v int[])");
    sql.execute(
        "create index pending_v on pending using gin (v) with (fastupdate = on, gin_pending_list_limit = 64)");
    sql.execute("insert into pending select i, array[i % 3, i] from generate_series(1, 3000) i");
    sql.execute(
        "insert into pending select i, array(select j + i from generate_series(1, 1500) j) from generate_series(1, 4) i");
    sql.execute("insert into pending select i, array[i % 3] from generate_series(1, 2000) i");
    sql.execute("select gin_clean_pending_list('pending_v')");
    sql.execute("insert into pending values (1, array[7, 8, 9])");
    sql.execute("vacuum pending");
    sql.execute("create index direct_again on direct using gin (v)");
    sql.execute("insert into direct select i, array[i % 3, i] from generate_series(1, 3000) i");
    sql.execute("vacuum direct");
  }
}
