package dev.varve.local.zoo;

import dev.varve.local.ComputeProcess;
import dev.varve.local.zoo.Animal.Moment;
import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** What a compute has to take: its writes are its own. */
final class Writes {
  private static final String TABLESPACES =
      "select spcname from pg_tablespace where spcname !~ '^pg_' order by 1";

  private Writes() {}

  /** Writes, restarts, and looks for what was written. */
  static List<String> take(ComputeProcess compute, Habitat habitat) throws Exception {
    PostgresServer server = compute.server();
    server.execute(
        "postgres",
        "create table zoo_written(id int primary key, t text)",
        "insert into zoo_written select i, repeat(i::text, 100) from generate_series(1, 2000) i",
        "create index on zoo_written(t)",
        "update zoo_written set t = t || 'x' where id % 3 = 0",
        "delete from zoo_written where id % 2 = 0",
        "create table zoo_dropped as select * from zoo_written",
        "drop table zoo_dropped",
        "vacuum",
        "create role zoo_written login password 'w'",
        "create database zoo_copy template "
            + (server.column("postgres", "select datname from pg_database").contains("template0")
                ? "template0"
                : "template1"),
        "checkpoint");
    server.execute(
        "zoo_copy", "create table t(i int)", "insert into t select generate_series(1, 100)");
    for (String tablespace : server.column("postgres", TABLESPACES)) {
      String name = "\"" + tablespace.replace("\"", "\"\"") + "\"";
      server.execute(
          "postgres",
          "create table zoo_there(i int) tablespace " + name,
          "insert into zoo_there values (1)",
          "checkpoint",
          "drop table zoo_there");
    }
    habitat.compute(server);
    habitat.animal().run(Moment.COMPUTED, habitat);
    for (String database : Habitat.databases(server)) {
      try (Connection connection = server.connect(database);
          Statement statement = connection.createStatement()) {
        statement.execute(
            "create table zoo_" + Integer.toUnsignedString(database.hashCode()) + "(i int)");
        statement.execute("vacuum (freeze) pg_class");
      }
    }
    compute.restart();
    List<String> complaints = new ArrayList<>();
    expect(server, "postgres", "select count(*) from zoo_written", "1000", complaints);
    expect(server, "zoo_copy", "select count(*) from t", "100", complaints);
    server.execute("postgres", "drop database zoo_copy", "drop table zoo_written", "checkpoint");
    return complaints;
  }

  private static void expect(
      PostgresServer server, String database, String sql, String value, List<String> complaints)
      throws SQLException {
    String answer = server.query(database, sql);
    if (!answer.equals(value)) {
      complaints.add(sql + ": " + answer + ", not " + value);
    }
  }

  /** Takes a base backup of the compute, and has a standby follow it. */
  static List<String> backUp(Habitat habitat, PostgresServer server) throws Exception {
    PostgresServer standby = habitat.standbyOf(server);
    server.execute(
        "postgres",
        "create table zoo_streamed(i int)",
        "insert into zoo_streamed select generate_series(1, 1000)");
    Habitat.await(
        standby,
        "select pg_last_wal_replay_lsn() >= '" + server.currentLsn() + "'::pg_lsn",
        "the compute's standby caught up");
    List<String> complaints = new ArrayList<>();
    expect(standby, "postgres", "select count(*) from zoo_streamed", "1000", complaints);
    complaints.addAll(LogLines.of(standby.log()).stream().map(line -> "standby: " + line).toList());
    standby.stop();
    return complaints;
  }
}
