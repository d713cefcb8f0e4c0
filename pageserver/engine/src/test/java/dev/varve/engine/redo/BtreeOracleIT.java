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

/**
 * B-tree redo against real PostgreSQL: splits of all levels, posting lists, deletion of items and
 * pages.
 */
class BtreeOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Btree/0x0/0",
          "Btree/0x10/0",
          "Btree/0x10/1",
          "Btree/0x30/0",
          "Btree/0x30/1",
          "Btree/0x30/2",
          "Btree/0x30/3",
          "Btree/0x40/0",
          "Btree/0x40/1",
          "Btree/0x40/2",
          "Btree/0x40/3",
          "Btree/0x50/0",
          "Btree/0x60/0",
          "Btree/0x70/0",
          "Btree/0x80/0",
          "Btree/0x80/1",
          "Btree/0x80/2",
          "Btree/0xa0/0",
          "Btree/0xa0/1",
          "Btree/0xa0/2",
          "Btree/0xb0/0",
          "Btree/0xb0/1",
          "Btree/0xc0/0",
          "Btree/0xe0/0");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(11), BtreeOracleIT::workload);
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }

  private static void workload(PostgresServer server, Connection connection, Statement sql)
      throws Exception {
    // Wide keys: splits on inner levels, to the left, to the right and in the middle.
    sql.execute("create table wide (k text collate \"C\", n int)");
    sql.execute("alter table wide alter k set storage plain");
    sql.execute("create index wide_k on wide (k) with (deduplicate_items = off)");
    sql.execute(
        "insert into wide select repeat(md5((i * 7919 % 2500)::text), 25), i from generate_series(1, 2500) i");
    sql.execute(
        "insert into wide select to_char(100000 - i, 'FM000000') || repeat('d', 900), i from generate_series(1, 400) i");
    // Narrow keys, ascending, descending and random.
    sql.execute("create table narrow (a int primary key, b int, c int)");
    sql.execute("create index narrow_b on narrow (b)");
    sql.execute("create index narrow_c on narrow (c)");
    sql.execute(
        "insert into narrow select i, -i, (i * 7919) % 10007 from generate_series(1, 12000) i");
    // Duplicates: deduplication, then TIDs from freed heap pages that fall into posting lists.
    sql.execute("create table twins (id int, k int)");
    sql.execute("create index twins_k on twins (k)");
    sql.execute("insert into twins select i, i % 7 from generate_series(1, 8000) i");
    sql.execute("delete from twins where id % 5 = 0");
    sql.execute("vacuum twins");
    sql.execute("insert into twins select i, i % 7 from generate_series(1, 3000) i");
    sql.execute("delete from twins where id % 3 = 0 and id < 2500");
    sql.execute("vacuum twins");
    sql.execute("insert into twins select i, i % 3 from generate_series(1, 3000) i");
    // Versions that churn: bottom-up deletion, partly of posting lists.
    sql.execute("create table churn (id int, k int, v int) with (fillfactor = 50)");
    sql.execute("create index churn_k on churn (k)");
    sql.execute("create index churn_v on churn (v)");
    sql.execute("insert into churn select i, i % 20, i from generate_series(1, 600) i");
    for (int i = 0; i < 25; i++) {
      sql.execute("update churn set v = v + 1");
    }
    // Items known dead: simple deletion when a page is full.
    sql.execute("delete from churn where id % 2 = 0");
    sql.execute("set enable_seqscan = off");
    sql.execute("set enable_bitmapscan = off");
    sql.execute("select count(v) from churn where v > 0");
    sql.execute("select count(v) from churn where k >= 0");
    sql.execute("insert into churn select i, i % 20, i from generate_series(1, 3000) i");
    // Whole pages go, up to branches and the root of what stays.
    sql.execute("delete from narrow where a between 1000 and 11000");
    sql.execute("vacuum narrow");
    sql.execute("delete from wide where n % 100 <> 0");
    sql.execute("vacuum wide");
    sql.execute("delete from narrow where a > 50");
    sql.execute("vacuum narrow");
    sql.execute("vacuum narrow");
    sql.execute("insert into narrow select i, -i, i from generate_series(20000, 26000) i");
    sql.execute("delete from narrow");
    sql.execute("vacuum narrow");
    sql.execute("insert into narrow select i, -i, i from generate_series(1, 9000) i");
  }
}
