package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;

/** Clusters with a past: promoted, restored, crashed; and what is open when they are looked at. */
final class RecoveryAnimals {
  private static final int SUBTRANSACTIONS = 20_000;
  private static final int START_ATTEMPTS = 50;

  private RecoveryAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("promoted", "a standby that was promoted").built(Habitat::promote),
        Animal.named("promoted-twice", "promoted, and a standby of that one promoted")
            .built(habitat -> {
              habitat.promote();
              habitat.execute("insert into zoo_common(t) values ('TLI 2')");
              habitat.promote();
            }),
        Animal.named("restored", "restored to a point in time from an archive")
            .built(RecoveryAnimals::restore),
        Animal.named("restored-again", "promoted, restored to a point in time, and that again")
            .built(habitat -> {
              habitat.promote();
              restore(habitat);
              habitat.execute("insert into zoo_common(t) values ('of the first restore')");
              restore(habitat);
            }),
        Animal.named("temporary", "temporary tables and files of sessions that go on")
            .built(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("create temporary table t1 as select generate_series(1, 100000) i");
              statement.execute("create index on t1(i)");
              statement.execute("create temporary sequence t2");
              statement.execute("set work_mem = '64kB'");
              statement.execute("begin");
              statement.execute(
                  "declare sorted cursor for select md5(i::text) m from generate_series(1, 300000) i"
                      + " order by m");
              statement.execute("fetch 10 from sorted");
            })
            .attached(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("create temporary table t3 as select generate_series(1, 1000) i");
            })
            .computed("create temporary table t1(i int)"),
        Animal.named("crashed", "killed under load, and recovered; temporary tables left behind")
            .built(habitat -> {
              Connection open = habitat.primary().connect("postgres");
              try (Statement statement = open.createStatement()) {
                statement.execute(
                    "create temporary table left_behind as select generate_series(1, 5000) i");
                statement.execute("begin");
                statement.execute("create table never as select generate_series(1, 5000) i");
                statement.execute(
                    "insert into zoo_common(t) select 'never' from generate_series(1, 5000)");
              }
              habitat.primary().kill();
              startAgain(habitat.primary());
            }),
        Animal.named("broken-record", "crashed inside a record: OVERWRITE_CONTRECORD")
            .built(RecoveryAnimals::breakRecord),
        Animal.named("open-transaction", "a transaction open across the attach")
            .built(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("begin");
              statement.execute(
                  "insert into zoo_common(t) select 'open' from generate_series(1, 1000)");
              statement.execute("create table open_one(i int)");
            })
            .attached(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("begin");
              statement.execute("update zoo_common set t = 'open' where id % 10 = 1");
              statement.execute("create table open_two as select generate_series(1, 1000) i");
            }),
        Animal.named("subtransactions", SUBTRANSACTIONS + " subtransactions, open and ended")
            .built(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("begin");
              statement.execute(subtransactions("open_subs"));
            })
            .attached(habitat -> {
              Statement statement = habitat.openStatement();
              statement.execute("begin");
              statement.execute(subtransactions("open_later"));
              habitat.execute(subtransactions("ended_subs"));
            }),
        Animal.named("serializable", "serializable transactions, LISTEN and a notify queue")
            .attached(habitat -> {
              Statement one = habitat.openStatement();
              one.execute("listen zoo");
              one.execute("begin isolation level serializable");
              one.execute("select count(*) from zoo_common");
              habitat.execute(
                  "begin isolation level serializable; update zoo_common set t = 's' where id = 1; commit",
                  "select pg_notify('zoo', repeat('n', 7000)) from generate_series(1, 300)");
            }),
        Animal.named("load-during-attach", "load while it is attached")
            .built(habitat ->
                habitat.execute(
                    "create table counters(i int primary key, n int) with (fillfactor = 50)",
                    "insert into counters select i, 0 from generate_series(1, 1000) i"))
            .during(habitat -> {
              for (int round = 0; round < 20; round++) {
                habitat.execute(
                    "update counters set n = n + 1 where i % 20 = " + round,
                    "insert into zoo_common(t) select md5(i::text) from generate_series(1, 500) i",
                    "create table load" + round + " as select * from counters",
                    "drop table load" + round);
              }
            }));
  }

  private static String subtransactions(String table) {
    return "do $$ begin create table "
        + table
        + "(i int); for i in 1.."
        + SUBTRANSACTIONS
        + " loop begin insert into "
        + table
        + " values (i); exception when others then null; end; end loop; end $$";
  }

  /** Its processes notice only after a moment that the postmaster is gone, and hold its memory. */
  private static void startAgain(PostgresServer killed) throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        killed.start();
        return;
      } catch (UncheckedIOException e) {
        if (attempt == START_ATTEMPTS) {
          throw e;
        }
        Thread.sleep(200);
      }
    }
  }

  private static void restore(Habitat habitat) throws Exception {
    PostgresServer primary = habitat.primary();
    PostgresServer backup = habitat.backupOf(primary);
    Path archive = habitat.directory("archive-" + primary.port());
    habitat.execute("create table if not exists kept as select generate_series(1, 100) i");
    habitat.execute(
        "select pg_create_restore_point('here')", "drop table kept", "select pg_switch_wal()");
    primary.stop();
    try (var segments = Files.newDirectoryStream(primary.dataDirectory().resolve("pg_wal"), "0*")) {
      for (Path segment : segments) {
        Path copy = archive.resolve(segment.getFileName());
        Files.copy(segment, copy);
        PostgresServer.own(copy);
      }
    }
    backup.setting("restore_command", "cp \"" + archive + "/%f\" \"%p\"");
    backup.setting("recovery_target_name", "here");
    backup.setting("recovery_target_action", "promote");
    Habitat.write(backup.dataDirectory().resolve("recovery.signal"), "");
    backup.start();
    Habitat.await(backup, "select not pg_is_in_recovery()", "the restored server is open");
    habitat.primary(backup);
  }

  /**
   * A record across segments of which the crash left the first part only (PostgreSQL 17
   * src/test/recovery/t/026_overwrite_contrecord.pl).
   */
  private static void breakRecord(Habitat habitat) throws Exception {
    PostgresServer primary = habitat.primary();
    habitat.execute("checkpoint", "select pg_switch_wal()");
    String before = habitat.query("select pg_walfile_name(pg_current_wal_insert_lsn())");
    // Up to the end of the segment, and over it by one record.
    habitat.execute(
        "do $$ begin loop"
            + " exit when 16777216 - ((pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint % 16777216) < 100000;"
            + " perform pg_logical_emit_message(true, 'zoo', repeat('m', 50000)); end loop; end $$",
        "select pg_logical_emit_message(true, 'zoo', repeat('n', 300000))");
    String after = habitat.query("select pg_walfile_name(pg_current_wal_insert_lsn())");
    if (before.equals(after)) {
      throw new IllegalStateException("no record crosses the segment's end");
    }
    primary.stopImmediately();
    Files.delete(primary.dataDirectory().resolve("pg_wal").resolve(after));
    primary.start();
    habitat.execute("insert into zoo_common(t) values ('behind the broken record')");
  }
}
