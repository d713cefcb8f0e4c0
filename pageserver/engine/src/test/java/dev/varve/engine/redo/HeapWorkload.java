package dev.varve.engine.redo;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Makes PostgreSQL write every kind of heap, heap2 and sequence record that it can, in sessions
 * that one thread drives, so that the order of records is the order of statements. Everything is in
 * the database {@code postgres}. {@link #replica} comes first, {@link #logical} needs {@code
 * wal_level=logical}, {@link #images} is for {@code full_page_writes=on}.
 */
final class HeapWorkload {
  private HeapWorkload() {}

  private static void run(Connection session, String... statements) throws SQLException {
    try (Statement statement = session.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /** What is written at {@code wal_level=replica}, where updates share parts with the old tuple. */
  static void replica(PostgresServer server) throws Exception {
    try (Connection one = server.connect("postgres");
        Connection two = server.connect("postgres")) {
      rows(one);
      wide(one);
      insertMany(one);
      freeze(one);
      catalogs(one);
      sequences(one);
      locks(one, two);
      partitions(one);
      speculative(server, one, two);
      prepared(one, two);
    }
  }

  /** Inserts, updates within and across pages, HOT chains, deletes, pruning, vacuum, truncation. */
  private static void rows(Connection session) throws SQLException {
    run(
        session,
        "create table plain (id int, a int, b text)",
        "create index plain_id on plain (id)",
        "insert into plain select i, i % 10, repeat(chr(65 + i % 26), i % 90) from generate_series(1, 4000) i",
        "delete from plain where id % 7 = 0",
        // Both ends of the tuple stay; the beginning; the end; nothing.
        "update plain set a = a + 1 where id % 5 = 0",
        "update plain set b = b || 'more' where id % 11 = 0",
        "update plain set id = -id where id % 13 = 0",
        "update plain set id = id + 100000, b = b || '!' where id % 17 = 0",
        "vacuum plain",
        "insert into plain select i, null, 'again' from generate_series(1, 500) i",
        "update plain set a = null where id % 23 = 0",
        "vacuum plain",
        // The map's bits are cleared by each kind of record.
        "delete from plain where id = 101",
        "update plain set b = 'x' where id = 1500",
        "vacuum (freeze) plain",
        "select * from plain where id between 300 and 320 for update",
        "update plain set b = repeat('y', 700) where id between 2000 and 2100",
        // The end of the table becomes empty and goes, and with it a part of the map.
        "delete from plain where id > 1500 or id < 0",
        "vacuum plain",
        "insert into plain select i, i, 'behind' from generate_series(1, 300) i");
    run(
        session,
        "create table hot (id int primary key, n int, pad text) with (fillfactor = 60)",
        "insert into hot select i, 0, repeat('p', 40) from generate_series(1, 1500) i");
    for (int i = 0; i < 6; i++) {
      // Without a vacuum: pruning when a page is read or nearly full.
      run(session, "update hot set n = n + 1 where id % 3 = " + i % 3, "select sum(n) from hot");
    }
    run(
        session,
        "delete from hot where id % 4 = 1",
        "select count(*) from hot",
        "vacuum hot",
        "update hot set n = n + 1",
        "vacuum hot",
        // No index: vacuum needs one pass only.
        "create table bare (id int, t text)",
        "insert into bare select i, repeat('b', 100) from generate_series(1, 1500) i",
        "delete from bare where id % 3 = 0",
        "vacuum bare",
        "update bare set t = t where id % 2 = 0",
        "vacuum (freeze) bare",
        // Aborted: whole and in part.
        "begin",
        "insert into bare select i, 'aborted' from generate_series(1, 300) i",
        "update bare set t = 'aborted' where id < 300",
        "rollback",
        "begin",
        "insert into bare values (-1, 'kept')",
        "savepoint s",
        "update bare set t = 'lost' where id = -1",
        "rollback to s",
        "update bare set t = 'kept twice' where id = -1",
        "commit",
        "vacuum bare",
        "truncate bare",
        "insert into bare select i, 'new file' from generate_series(1, 100) i",
        "vacuum full bare",
        "cluster hot using hot_pkey",
        "alter table bare alter id type bigint",
        "delete from bare",
        "vacuum bare");
  }

  /** Wide rows, in line and out of line; rows with many nulls. */
  private static void wide(Connection session) throws SQLException {
    StringBuilder columns = new StringBuilder("id int");
    for (int i = 0; i < 60; i++) {
      columns.append(", c").append(i).append(i % 3 == 0 ? " text" : " int");
    }
    run(
        session,
        "create table toasted (id int primary key, t text)",
        "alter table toasted alter t set storage external",
        "insert into toasted select i, repeat(md5(i::text), i * 10) from generate_series(1, 60) i",
        "update toasted set t = repeat(md5((id + 1)::text), id * 12) where id % 2 = 0",
        "delete from toasted where id % 5 = 0",
        "vacuum toasted",
        "insert into toasted select i, repeat(md5(i::text), i) from generate_series(101, 140) i",
        "create table nulls (" + columns + ")",
        "insert into nulls (id, c0, c59) select i, 'zero', i from generate_series(1, 500) i",
        "update nulls set c30 = 'thirty' where id % 2 = 0",
        "update nulls set c1 = 1, c0 = null where id % 3 = 0",
        "vacuum (freeze) nulls",
        "create table full_width (id int, t text)",
        "alter table full_width alter t set storage plain",
        "insert into full_width select i, repeat('w', 8000 - i) from generate_series(1, 50) i",
        "update full_width set t = repeat('v', 3000 + id) where id % 2 = 0",
        "update full_width set t = t || 'tail' where id % 4 = 0",
        "vacuum full_width");
  }

  /** COPY: into new pages, into the room of old ones, frozen from the start. */
  private static void insertMany(Connection session) throws SQLException {
    run(
        session,
        "create table copied (id int)",
        "copy copied from program 'seq 1 3000'",
        "delete from copied where id % 2 = 0",
        "vacuum copied",
        "copy copied from program 'seq 5001 5400'",
        // Pages that are empty and all-visible.
        "delete from copied where id between 1000 and 2500",
        "vacuum copied",
        "copy copied from program 'seq 6001 7000'",
        "begin",
        "create table cold (id int)",
        "copy cold from program 'seq 1 1500' with (freeze)",
        "commit",
        "delete from cold where id % 3 = 0",
        "vacuum cold",
        "copy cold from program 'seq 1 40'");
  }

  /** Freezing of what was updated, deleted and locked. */
  private static void freeze(Connection session) throws SQLException {
    run(
        session,
        "create table aged (id int primary key, n int) with (fillfactor = 80)",
        "insert into aged select i, 0 from generate_series(1, 1200) i",
        "update aged set n = 1 where id % 2 = 0",
        "begin",
        "select count(*) from (select * from aged where id % 3 = 0 for share) s",
        "commit",
        "begin",
        "delete from aged where id % 5 = 0",
        "rollback",
        "vacuum (freeze) aged",
        "select count(*) from (select * from aged where id % 10 = 0 for key share) s",
        "update aged set n = 2 where id % 7 = 0",
        "vacuum (freeze) aged");
  }

  /** Catalogs: updates in place, many rows at once, deletes. */
  private static void catalogs(Connection session) throws SQLException {
    for (int i = 0; i < 8; i++) {
      run(
          session,
          "create table part_" + i + " (id int primary key, a text, b text, c numeric[])",
          "comment on table part_" + i + " is 'number " + i + "'");
    }
    for (int i = 0; i < 8; i += 2) {
      run(session, "drop table part_" + i);
    }
    run(
        session,
        "analyze",
        "vacuum pg_class",
        "vacuum pg_attribute",
        "vacuum (freeze) pg_type",
        "vacuum full pg_description");
  }

  private static void sequences(Connection session) throws SQLException {
    run(
        session,
        "create sequence counted",
        "select nextval('counted') from generate_series(1, 200)",
        "select setval('counted', 5000)",
        "alter sequence counted increment 7 cache 10",
        "select nextval('counted') from generate_series(1, 100)",
        "create sequence small as smallint cycle maxvalue 20",
        "select nextval('small') from generate_series(1, 100)",
        "create unlogged sequence unlogged_one",
        "select nextval('unlogged_one')",
        "create table with_identity (id bigint generated always as identity, t text)",
        "insert into with_identity (t) select 't' from generate_series(1, 200)",
        "truncate with_identity restart identity",
        "alter sequence small restart");
  }

  /** Row locks of one session and of two: multixacts, with an update among the members, and VM. */
  private static void locks(Connection one, Connection two) throws SQLException {
    run(
        one,
        "create table locked (id int primary key, n int, t text)",
        "insert into locked select i, 0, 'l' from generate_series(1, 400) i",
        "vacuum (freeze) locked");
    for (String mode : new String[] {"update", "no key update", "share", "key share"}) {
      run(
          one,
          "begin",
          "select count(*) from (select * from locked where id % 4 = 0 for " + mode + ") s",
          "commit");
    }
    // Two lockers make a multixact; the second one's update makes it one with an updater.
    run(one, "begin", "select count(*) from (select * from locked where id < 100 for share) s");
    run(two, "begin", "select count(*) from (select * from locked where id < 100 for share) s");
    run(two, "commit");
    run(one, "commit");
    run(one, "begin", "select count(*) from (select * from locked where id < 50 for key share) s");
    run(two, "begin", "update locked set n = n + 1 where id < 50", "commit");
    run(two, "vacuum (freeze) locked");
    run(one, "commit");
    // A chain whose later versions are locked too: the update is still in progress.
    run(one, "begin", "update locked set n = n + 1 where id between 60 and 90");
    run(two, "begin");
    run(
        two,
        "select count(*) from (select * from locked where id between 60 and 90 for key share) s");
    run(one, "commit");
    run(two, "commit");
    // The same on pages that are all-frozen: the chain's later versions lie on another page.
    run(
        one,
        "create table apart (id int, n int, pad text)",
        "insert into apart select i, 0, repeat('a', 1900) from generate_series(1, 40) i",
        "vacuum (freeze) apart",
        "begin",
        "update apart set n = 1 where id % 4 = 0");
    run(
        two,
        "begin",
        "select count(*) from (select * from apart where id % 4 = 0 for key share) s");
    run(one, "commit");
    run(two, "commit");
    run(one, "delete from locked where id % 3 = 0", "vacuum (freeze) locked", "vacuum apart");
  }

  /** Rows that move to another partition leave a mark that says so. */
  private static void partitions(Connection session) throws SQLException {
    run(
        session,
        "create table parts (k int, t text) partition by list (k)",
        "create table parts_1 partition of parts for values in (1)",
        "create table parts_2 partition of parts for values in (2)",
        "insert into parts select 1 + i % 2, 'p' from generate_series(1, 100) i",
        "update parts set k = 3 - k where ctid < '(0,20)'",
        "vacuum parts");
  }

  /**
   * Speculative insertion, confirmed and, when another session was faster, taken back: the session
   * stops between its look at the index and its entry in it, at an advisory lock that the index's
   * expression asks for.
   */
  private static void speculative(PostgresServer server, Connection one, Connection two)
      throws Exception {
    run(
        one,
        "create table keyed (k int primary key, n int, t text)",
        "alter table keyed alter t set storage external");
    for (int i = 0; i < 3; i++) {
      run(
          one,
          "insert into keyed select i, 0, repeat('k', 3000) from generate_series("
              + i * 20
              + ", "
              + (i * 20 + 40)
              + ") i on conflict (k) do update set n = keyed.n + 1");
    }
    run(
        one,
        "create table raced (k int, t text)",
        "alter table raced alter t set storage external",
        """
        create function slowly(k int) returns int language plpgsql immutable as $$
        declare calls int;
        begin
          calls := coalesce(nullif(current_setting('race.calls', true), ''), '-100')::int + 1;
          perform set_config('race.calls', calls::text, false);
          if calls = 2 then
            perform pg_advisory_lock(42);
            perform pg_advisory_unlock(42);
          end if;
          return k;
        end $$\
        """,
        "create unique index raced_k on raced (slowly(k))");
    try (ExecutorService background = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int k = 0; k < 5; k++) {
        int key = k;
        run(two, "select pg_advisory_lock(42)");
        run(one, "set race.calls = 0");
        Future<?> slow =
            background.submit(() -> {
              run(
                  one,
                  "insert into raced values ("
                      + key
                      + ", repeat('slow', 2000)) on conflict do nothing");
              return null;
            });
        awaitWaiter(server, slow);
        run(two, "insert into raced values (" + key + ", 'fast')", "select pg_advisory_unlock(42)");
        slow.get();
      }
    }
    run(one, "vacuum raced", "vacuum keyed");
  }

  private static void awaitWaiter(PostgresServer server, Future<?> slow)
      throws SQLException, InterruptedException, ExecutionException {
    while (!"1"
        .equals(
            server.query(
                "postgres",
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"))) {
      if (slow.isDone()) {
        slow.get();
        throw new IllegalStateException("the insertion did not wait");
      }
      Thread.onSpinWait();
    }
  }

  private static void prepared(Connection one, Connection two) throws SQLException {
    run(
        one,
        "begin",
        "update locked set n = -1 where id < 20",
        "insert into locked values (9001, 1, 'prepared')",
        "prepare transaction 'kept'",
        "begin",
        "delete from locked where id between 100 and 120",
        "prepare transaction 'dropped'");
    run(two, "commit prepared 'kept'", "rollback prepared 'dropped'", "vacuum locked");
  }

  /** What is written for logical decoding only: whole old rows, combo ids, mappings, TRUNCATE. */
  static void logical(PostgresServer server) throws Exception {
    try (Connection session = server.connect("postgres")) {
      run(
          session,
          "select pg_create_logical_replication_slot('decoding', 'pgoutput')",
          "create table decoded (id int primary key, t text)",
          "insert into decoded select i, repeat('d', i % 50) from generate_series(1, 500) i",
          "update decoded set t = t || 'e' where id % 2 = 0",
          "update decoded set id = id + 1000 where id % 3 = 0",
          "delete from decoded where id % 5 = 0",
          "alter table decoded replica identity full",
          "update decoded set t = t || 'f' where id % 4 = 0",
          "delete from decoded where id % 7 = 0",
          "select * from decoded for update",
          "copy decoded (id) from program 'seq 9001 9300'",
          "truncate decoded",
          "create table like_catalog (id int, t text) with (user_catalog_table = true)",
          "insert into like_catalog select i, 'c' from generate_series(1, 100) i",
          "update like_catalog set t = 'changed' where id % 2 = 0",
          "begin",
          "update like_catalog set t = 'combo' where id < 10",
          "delete from like_catalog where id < 10",
          "commit",
          "vacuum full like_catalog",
          "vacuum full pg_statistic",
          "select pg_logical_emit_message(true, 'p', 'message')",
          "select pg_drop_replication_slot('decoding')");
    }
  }

  /**
   * Each page's first change after a checkpoint brings its image; a hint bit does, with checksums;
   * an index and a new database come as nothing but images.
   */
  static void images(PostgresServer server) throws Exception {
    try (Connection session = server.connect("postgres")) {
      run(
          session,
          "checkpoint",
          "insert into plain select i, i, 'image' from generate_series(1, 400) i",
          "update plain set a = a + 1 where id % 3 = 0",
          "update hot set n = n + 1 where id % 2 = 0",
          "checkpoint",
          // Hint bits of committed rows.
          "select count(*) from plain",
          "select count(*) from hot",
          "delete from hot where id % 6 = 0",
          "delete from plain where id % 4 = 1",
          "checkpoint",
          "select count(*) from hot",
          "vacuum hot",
          "vacuum plain",
          "checkpoint",
          "vacuum (freeze) hot",
          "copy copied from program 'seq 1 300'",
          "checkpoint",
          "update hot set n = 0",
          "delete from hot where id > 700",
          "checkpoint",
          "vacuum hot",
          "create index hot_n on hot (n)",
          "select nextval('counted')",
          "select pg_create_restore_point('here')",
          "create database images",
          "create table rewritten as select i as id from generate_series(1, 500) i");
    }
  }
}
