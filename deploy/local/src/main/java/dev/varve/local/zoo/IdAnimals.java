package dev.varve.local.zoo;

import dev.varve.testkit.ClusterReset;
import dev.varve.testkit.ControlFile.Field;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Map;

/** Transaction, multixact and object ids near their ends. */
final class IdAnimals {
  private static final long XIDS_PER_PAGE = 32768;
  private static final long MULTIS_PER_PAGE = 2048;
  private static final long MEMBERS_PER_PAGE = 1636;

  private IdAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("xid-half", "xids across 2^31")
            .built(IdAnimals::xidsToHalf)
            .attached(habitat -> consume(habitat, 300)),
        Animal.named("xid-wrapped", "xids across 2^32, all frozen")
            .built(habitat -> {
              advanceXid(habitat, 0x7000_0000L);
              advanceXid(habitat, 0xE000_0000L);
              advanceXid(habitat, 0x1_0000_0000L - XIDS_PER_PAGE);
              consume(habitat, XIDS_PER_PAGE - 100);
            })
            .attached(habitat -> consume(habitat, 300)),
        Animal.named("epoch", "an epoch of 1,000,000")
            .built(habitat ->
                reset(habitat, Map.of(Field.NEXT_XID, (1_000_000L << 32) + XIDS_PER_PAGE * 2))),
        Animal.named("epoch-end", "an epoch of 2^32 - 2")
            .built(habitat ->
                reset(habitat, Map.of(Field.NEXT_XID, 0xFFFF_FFFE_0000_0000L + XIDS_PER_PAGE * 2)))
            .attached(habitat -> consume(habitat, 300)),
        Animal.named("oid-half", "OIDs across 2^31")
            .built(habitat -> reset(habitat, Map.of(Field.NEXT_OID, 0x7FFF_FFF0L)))
            .attached(
                "create table o1(i serial primary key, t text)",
                "insert into o1(t) select 'x' from generate_series(1, 1000)",
                "create table o2(i serial primary key, t text)",
                "create database of_half",
                "create role role_of_half login password 'h'",
                "create table o3 as select * from o1",
                "drop table o2",
                "vacuum full o3")
            .login("role_of_half", "h"),
        Animal.named("multixact-half", "multixacts across 2^31")
            .built(habitat -> {
              freeze(habitat);
              Files.delete(habitat.primary().dataDirectory().resolve("pg_multixact/offsets/0000"));
              advanceMultis(habitat, 0x8000_0000L);
              multixacts(habitat, 3000);
            })
            .attached(habitat -> multixacts(habitat, 200)),
        Animal.named("stamps-half", "`track_commit_timestamp` across xid 2^31")
            .setting("track_commit_timestamp", "on")
            .built(IdAnimals::xidsToHalf)
            .attached(habitat -> consume(habitat, 3000)),
        Animal.named("lsn-half", "LSNs across 2^63")
            .built(habitat -> {
              reset(habitat, Map.of(Field.CHECKPOINT_LSN, Long.MAX_VALUE - (160L << 20)));
              habitat.execute("select pg_switch_wal()", "create table before as select 1 a");
            })
            .attached(
                "insert into zoo_common(t) select repeat(md5(i::text), 60)"
                    + " from generate_series(1, 60000) i",
                "select pg_switch_wal()",
                "checkpoint",
                "insert into zoo_common(t) values ('behind')"),
        Animal.named("lsn-end", "LSNs of FFFFFFF0/0")
            .built(habitat -> reset(habitat, Map.of(Field.CHECKPOINT_LSN, 0xFFFF_FFF0_0000_0000L))),
        Animal.named("oid-end", "OIDs at the end: they begin again")
            .built(habitat -> reset(habitat, Map.of(Field.NEXT_OID, 0xFFFF_FFF0L)))
            .attached(
                "create table o1(i serial primary key, t text)",
                "create table o2(i serial primary key, t text)",
                "create table o3(i serial primary key, t text)",
                "select lo_create(0) from generate_series(1, 30)"),
        Animal.named("multixact", "multixacts with members, updaters and lockers")
            .built(habitat -> multixacts(habitat, 3000))
            .attached(habitat -> multixacts(habitat, 500)),
        Animal.named("multixact-wrapped", "multixacts across 2^32")
            .built(habitat -> {
              freeze(habitat);
              advanceMultis(habitat, 0x1_0000_0000L);
              multixacts(habitat, 2000);
            })
            .attached(habitat -> multixacts(habitat, 200)),
        Animal.named("multixact-members-wrapped", "multixact members across 2^32")
            .built(habitat -> {
              freeze(habitat);
              reset(
                  habitat,
                  Map.of(
                      Field.NEXT_MULTI_OFFSET,
                      0x1_0000_0000L / MEMBERS_PER_PAGE * MEMBERS_PER_PAGE - MEMBERS_PER_PAGE));
              multixacts(habitat, 2000);
            })
            .attached(habitat -> multixacts(habitat, 200)),
        Animal.named("frozen", "everything frozen, all-visible, SLRUs truncated")
            .built(habitat -> {
              consume(habitat, 70_000);
              freeze(habitat);
            })
            .attached(IdAnimals::freeze),
        Animal.named("segment-size-changed", "segments of 4 MB that were 16 MB once")
            .built(habitat -> reset(habitat, Map.of(Field.XLOG_SEG_SIZE, 4L << 20))),
        Animal.named("far-lsn", "LSNs of 100 TB")
            .built(habitat -> reset(habitat, Map.of(Field.CHECKPOINT_LSN, 100L << 40))));
  }

  /** Resets the stopped primary; a file of zeros in an SLRU where a counter wants one. */
  private static void reset(Habitat habitat, Map<Field, Long> counters, String... zeros)
      throws IOException {
    PostgresServer primary = habitat.primary();
    primary.stop();
    ClusterReset.run(primary, counters);
    for (String name : zeros) {
      Path file = primary.dataDirectory().resolve(name);
      if (!Files.exists(file)) {
        Files.write(file, new byte[32 * 8192]);
        PostgresServer.own(file);
      }
    }
    primary.start();
  }

  private static void freeze(Habitat habitat) throws Exception {
    habitat.execute("alter database template0 allow_connections true");
    for (String database : List.of("postgres", "template1", "template0")) {
      habitat.executeIn(database, "vacuum (freeze)");
    }
    habitat.execute("alter database template0 allow_connections false", "checkpoint");
  }

  /** Goes on with another xid, less than 2^31 ahead, with everything frozen up to there. */
  private static void advanceXid(Habitat habitat, long xid) throws Exception {
    freeze(habitat);
    reset(habitat, Map.of(Field.NEXT_XID, xid));
    freeze(habitat);
  }

  private static void xidsToHalf(Habitat habitat) throws Exception {
    advanceXid(habitat, 0x7000_0000L);
    advanceXid(habitat, 0x8000_0000L - XIDS_PER_PAGE);
    consume(habitat, XIDS_PER_PAGE - 100);
  }

  /**
   * Goes on with the last page of multixacts below another, which a segment begins with; everything
   * is frozen.
   */
  private static void advanceMultis(Habitat habitat, long end) throws Exception {
    long next = end - MULTIS_PER_PAGE;
    reset(
        habitat,
        Map.of(Field.NEXT_MULTI, next, Field.OLDEST_MULTI, next),
        "pg_multixact/offsets/%04X".formatted(next / MULTIS_PER_PAGE / 32));
    freeze(habitat);
  }

  private static void consume(Habitat habitat, long xids) throws Exception {
    habitat.execute(
        "do $$ begin for i in 1.."
            + xids
            + " loop perform pg_current_xact_id(); commit; end loop; end $$");
  }

  /**
   * Rows that two transactions lock: each a multixact of its own, since the first one locks each in
   * another subtransaction.
   */
  private static void multixacts(Habitat habitat, int count) throws Exception {
    habitat.execute(
        "create table if not exists locked(i int primary key, t text)",
        "insert into locked select i, 'x' from generate_series(1, "
            + count
            + ") i on conflict do nothing");
    try (Connection one = habitat.primary().connect("postgres");
        Statement first = one.createStatement();
        Connection two = habitat.primary().connect("postgres");
        Statement second = two.createStatement()) {
      one.setAutoCommit(false);
      two.setAutoCommit(false);
      first.execute(
          "do $$ begin for n in 1.."
              + count
              + " loop begin perform from locked where i = n for key share;"
              + " exception when division_by_zero then null; end; end loop; end $$");
      second.execute("select * from locked for share");
      two.commit();
      second.execute("update locked set t = t || 'u' where i % 3 = 0");
      one.commit();
      two.commit();
    }
  }
}
