package dev.varve.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A script of everything that is not plain inserts and updates: TOAST, rewrites, truncation,
 * databases made both ways, prepared transactions, savepoints, multixacts, unlogged and temporary
 * tables, a tablespace, sequences, large objects. Leaves data in many tables and in several
 * databases, and one prepared transaction open.
 */
public final class DdlRich {
  private DdlRich() {}

  private static final List<String> SCRIPT =
      List.of(
          "create table toasted(id int primary key, v text)",
          "alter table toasted alter v set storage external",
          "insert into toasted select i, repeat(md5(i::text), 300 + i % 200) from generate_series(1, 60) i",
          "update toasted set v = v || 'tail' where id % 4 = 0",
          "delete from toasted where id % 7 = 0",
          "vacuum toasted",
          "create table wide(id serial primary key, a int, b text, c numeric, d timestamptz default now())",
          "create index wide_a on wide(a)",
          "create index wide_b on wide(b text_pattern_ops)",
          "insert into wide(a, b, c) select i % 50, 'row ' || i, i * 1.5 from generate_series(1, 8000) i",
          "update wide set a = a + 1 where id % 3 = 0",
          "update wide set b = b || 'x' where id % 5 = 0",
          "delete from wide where id % 11 = 0",
          "vacuum (freeze, analyze) wide",
          "update wide set a = 0 where id between 100 and 200",
          "create index concurrently wide_c on wide(c)",
          "reindex table wide",
          "cluster wide using wide_a",
          "vacuum full toasted",
          "alter table wide add column e int default 7",
          "alter table wide alter column c type text using c::text",
          "create table cut(id int primary key)",
          "insert into cut select generate_series(1, 3000)",
          "truncate cut",
          "insert into cut select generate_series(1, 10)",
          "create table shrunk(id int, t text)",
          "insert into shrunk select i, repeat('y', 200) from generate_series(1, 20000) i",
          "delete from shrunk where id > 500",
          "vacuum shrunk",
          "create table dropped as select * from wide",
          "drop table dropped",
          "begin; create table never(i int); insert into never select generate_series(1, 100); rollback",
          "create unlogged table unlogged_one(i int primary key, t text)",
          "insert into unlogged_one select i, 'u' from generate_series(1, 500) i",
          "create temporary table temporary_one as select 1 as i",
          "create sequence seq_one increment by 3 cache 5",
          "select nextval('seq_one') from generate_series(1, 40)",
          "create materialized view mv as select a, count(*) from wide group by a",
          "refresh materialized view mv",
          "create table parted(i int, t text) partition by range (i)",
          "create table parted_1 partition of parted for values from (0) to (500)",
          "create table parted_2 partition of parted for values from (500) to (1000)",
          "insert into parted select i, 'p' from generate_series(0, 999) i",
          "update parted set i = i + 500 where i < 20",
          "select lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'))",
          "create type mood as enum ('sad', 'ok')",
          "alter type mood add value 'happy'",
          "comment on table wide is 'rich'",
          "analyze",
          "checkpoint");

  /**
   * Runs the script.
   *
   * @param tablespace an empty directory of PostgreSQL's user for a tablespace; null: without one
   */
  public static void run(PostgresServer server, @Nullable Path tablespace) throws SQLException {
    try (Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement()) {
      for (String sql : SCRIPT) {
        statement.execute(sql);
      }
      savepoints(statement);
      if (tablespace != null) {
        statement.execute("create tablespace elsewhere location '" + tablespace + "'");
        statement.execute("create table far(i int primary key, t text) tablespace elsewhere");
        statement.execute("insert into far select i, 'far' from generate_series(1, 2000) i");
        statement.execute("create table moved as select * from far");
        statement.execute("alter table moved set tablespace elsewhere");
      }
    }
    multixacts(server);
    databases(server);
    prepared(server);
  }

  private static void savepoints(Statement statement) throws SQLException {
    statement.execute("create table nested(i int)");
    statement.execute("begin");
    for (int i = 0; i < 120; i++) {
      statement.execute("savepoint s");
      statement.execute("insert into nested values (" + i + ")");
      statement.execute(i % 3 == 0 ? "rollback to savepoint s" : "release savepoint s");
    }
    statement.execute("commit");
  }

  /** Rows that two transactions lock at once, and one of them updates. */
  private static void multixacts(PostgresServer server) throws SQLException {
    server.execute(
        "postgres",
        "create table locked(id int primary key, n int)",
        "insert into locked select i, 0 from generate_series(1, 300) i",
        "create table locker(id int references locked)",
        "insert into locker select i from generate_series(1, 300) i");
    try (Connection first = server.connect("postgres");
        Connection second = server.connect("postgres");
        Statement one = first.createStatement();
        Statement two = second.createStatement()) {
      first.setAutoCommit(false);
      second.setAutoCommit(false);
      one.execute("select * from locked where id <= 200 for key share");
      two.execute("select * from locked where id <= 200 for share");
      first.commit();
      two.execute("update locked set n = n + 1 where id <= 100");
      second.commit();
      one.execute("select * from locked where id > 200 for key share");
      two.execute("update locked set n = 5 where id > 250");
      second.rollback();
      first.commit();
    }
  }

  private static void databases(PostgresServer server) throws SQLException {
    server.execute("postgres", "create database copied_by_wal strategy wal_log");
    server.execute(
        "copied_by_wal",
        "create table inside(i int primary key)",
        "insert into inside select generate_series(1, 3000)");
    server.execute(
        "postgres", "create database copied_by_file template copied_by_wal strategy file_copy");
    server.execute("copied_by_file", "insert into inside select generate_series(3001, 4000)");
    server.execute("postgres", "create database short_lived", "drop database short_lived");
  }

  private static void prepared(PostgresServer server) throws SQLException {
    server.execute("postgres", "create table two_phase(i int primary key)");
    try (Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement()) {
      for (String[] step :
          new String[][] {
            {"1", "commit prepared 'one'"}, {"2", "rollback prepared 'two'"}, {"3", ""}
          }) {
        String gid = step[0].equals("1") ? "one" : step[0].equals("2") ? "two" : "three";
        statement.execute("begin");
        statement.execute("insert into two_phase values (" + step[0] + ")");
        statement.execute("prepare transaction '" + gid + "'");
        if (!step[1].isEmpty()) {
          statement.execute(step[1]);
        }
      }
    }
  }

  /** A directory for {@link #run}'s tablespace. */
  public static Path tablespaceDirectory() throws IOException {
    Path directory = PostgresServer.temporaryDirectory();
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    return directory;
  }
}
