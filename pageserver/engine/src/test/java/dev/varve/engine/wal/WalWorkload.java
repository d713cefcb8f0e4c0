package dev.varve.engine.wal;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** SQL that makes PostgreSQL write records of as many kinds as it can without crashing. */
public final class WalWorkload {
  /** Settings that {@link #run} needs, and that keep the WAL in place. */
  public static final Map<String, String> SETTINGS =
      Map.of(
          "wal_level", "logical",
          "max_prepared_transactions", "10",
          "track_commit_timestamp", "on",
          "allow_in_place_tablespaces", "on",
          "autovacuum", "off",
          "wal_keep_size", "2000MB",
          "max_wal_size", "4000MB",
          "checkpoint_timeout", "1h",
          "statement_timeout", "60s");

  /** {@code initdb}'s argument for the smallest segments. */
  public static final String SEGMENT_ARGUMENT = "--wal-segsize=1";

  public static final int SEGMENT_BYTES = 1 << 20;

  private WalWorkload() {}

  /** A server made for it. */
  public static PostgresServer start(int major) {
    PostgresServer.Builder builder = PostgresServer.builder(major).initdbArgument(SEGMENT_ARGUMENT);
    SETTINGS.forEach(builder::setting);
    return builder.start();
  }

  private static void run(Connection connection, String... statements) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /**
   * Runs it, in the database {@code postgres}.
   *
   * @param round makes names unique; a prepared transaction is left behind
   */
  public static void run(PostgresServer server, int round, @Nullable String walCompression)
      throws SQLException {
    try (Connection a = server.connect("postgres");
        Connection b = server.connect("postgres")) {
      if (walCompression != null) {
        run(a, "set wal_compression=" + walCompression);
      }
      String t = "t" + round;
      run(
          a,
          "create table "
              + t
              + " (id bigint primary key, v text, n int[], p point) with (fillfactor=70)",
          "create index on " + t + " using gin (n)",
          "create index on " + t + " using gist (p)",
          "create index on " + t + " using spgist (v)",
          "create index on " + t + " using hash (v)",
          "create index on " + t + " using brin (id)",
          "insert into "
              + t
              + " select g, repeat(md5(g::text), 1 + g % 9), array[g % 7, g % 11], point(g, g)"
              + " from generate_series(1, 3000) g",
          "checkpoint",
          "update " + t + " set v = v || 'x' where id % 3 = 0",
          "delete from " + t + " where id % 5 = 0",
          "vacuum " + t,
          "update " + t + " set n = array[1] where id < 200",
          "vacuum freeze " + t,
          "delete from " + t + " where id > 1000",
          "vacuum " + t,
          "create unlogged table u" + round + " (id serial)",
          "create sequence s" + round,
          "select nextval('s" + round + "') from generate_series(1, 100)",
          "create materialized view m" + round + " as select * from " + t,
          "refresh materialized view m" + round,
          "truncate u" + round);
      transactions(a, t, round);
      multixacts(a, b, t);
      run(
          a,
          "select pg_logical_emit_message(false, 'p', repeat('x', 400000))",
          "select pg_logical_emit_message(true, 'p', repeat('x', 1300000))",
          "select pg_create_restore_point('r" + round + "')",
          "select pg_switch_wal()",
          "select pg_logical_emit_message(false, 'p', '')",
          "select lo_from_bytea(0, repeat('y', 20000)::bytea)",
          "select pg_replication_origin_create('o" + round + "')",
          "select pg_replication_origin_advance('o" + round + "', '0/12345')",
          "select pg_replication_origin_session_setup('o" + round + "')",
          "begin",
          "select pg_replication_origin_xact_setup('0/23456', '2024-01-01')",
          "insert into " + t + " values (7000000)",
          "commit",
          "select pg_replication_origin_session_reset()",
          "select pg_replication_origin_drop('o" + round + "')",
          "create tablespace ts" + round + " location ''",
          "create table x" + round + " (a int) tablespace ts" + round,
          "drop table x" + round,
          "drop tablespace ts" + round,
          "vacuum full pg_class",
          "create database d" + round + " strategy wal_log",
          "create database e" + round + " strategy file_copy",
          "drop database e" + round,
          "reindex table " + t,
          "cluster " + t + " using " + t + "_pkey",
          "checkpoint");
    }
  }

  private static void transactions(Connection a, String t, int round) throws SQLException {
    run(
        a,
        "begin",
        "insert into " + t + " values (10000)",
        "savepoint a",
        "insert into " + t + " values (10001)",
        "release a",
        "savepoint b",
        "insert into " + t + " values (10002)",
        "rollback to b",
        "commit",
        "begin",
        "create table gone" + round + " as select generate_series(1, 1000)",
        "savepoint c",
        "insert into " + t + " values (10003)",
        "rollback",
        "do $$ begin for i in 20000..20200 loop begin insert into "
            + t
            + " values (i); exception when others then null; end; end loop; end $$",
        "begin",
        "insert into " + t + " values (30000)",
        "create table prepared" + round + " (a int)",
        "prepare transaction 'first" + round + "'",
        "commit prepared 'first" + round + "'",
        "begin",
        "savepoint d",
        "create table never" + round + " (a int)",
        "prepare transaction 'second" + round + "'",
        "rollback prepared 'second" + round + "'",
        "begin",
        "create table left" + round + " (a int)",
        "savepoint e",
        "insert into left" + round + " values (30002)",
        "prepare transaction 'left" + round + "'");
  }

  private static void multixacts(Connection a, Connection b, String t) throws SQLException {
    for (int i = 0; i < 50; i++) {
      run(a, "begin", "select * from " + t + " where id < 40 for key share");
      run(b, "begin", "select * from " + t + " where id < 40 for share", "commit");
      run(a, "commit");
    }
  }
}
