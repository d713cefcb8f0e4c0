package dev.varve.local.zoo;

import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/** Clusters that other programs of PostgreSQL's made, where a distribution has installed them. */
final class ProgramAnimals {
  private ProgramAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("rewound", "a former primary that `pg_rewind` made a standby, promoted again")
            .on(major -> Programs.has(major, "pg_rewind", "postgres"))
            .setting("wal_log_hints", "on")
            .built(ProgramAnimals::rewind),
        Animal.named("upgraded", "a cluster that `pg_upgrade` made")
            .on(major -> Programs.has(major, "pg_upgrade", "pg_dump", "psql", "initdb"))
            .built(ProgramAnimals::upgrade),
        Animal.named("reset", "`pg_resetwal`, with high counters")
            .on(major -> Programs.has(major, "pg_resetwal"))
            .built(habitat ->
                offline(
                    habitat,
                    "pg_resetwal",
                    "--next-oid=4000000000",
                    "--epoch=7",
                    "--next-wal-file=000000010000ABCD00000012"))
            .attached("create table after_reset as select generate_series(1, 1000) i"),
        Animal.named("checksums-enabled", "checksums that `pg_checksums` enabled")
            .on(major -> Programs.has(major, "pg_checksums"))
            .built(habitat -> offline(habitat, "pg_checksums", "--enable")),
        Animal.named("checksums-disabled", "checksums that `pg_checksums` disabled")
            .on(major -> Programs.has(major, "pg_checksums"))
            .checksums()
            .built(habitat -> offline(habitat, "pg_checksums", "--disable")),
        Animal.named("lz4", "`wal_compression` and `default_toast_compression` by lz4")
            .distribution()
            .setting("wal_compression", "lz4")
            .setting("default_toast_compression", "lz4")
            .built(ProgramAnimals::compressed)
            .attached("checkpoint", "update toasted set t = t || 'x' where id % 3 = 0"),
        Animal.named("zstd", "`wal_compression` by zstd")
            .distribution()
            .setting("wal_compression", "zstd")
            .built(ProgramAnimals::compressed)
            .attached("checkpoint", "update toasted set t = t || 'x' where id % 3 = 0"));
  }

  private static void compressed(Habitat habitat) throws Exception {
    habitat.execute(
        "create table toasted(id int primary key, t text)",
        "insert into toasted select i, repeat(md5(i::text), 1000) from generate_series(1, 200) i",
        "checkpoint");
  }

  /** Runs a program on the stopped primary. */
  private static void offline(Habitat habitat, String program, String... arguments)
      throws Exception {
    PostgresServer primary = habitat.primary();
    primary.stop();
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("-D", primary.dataDirectory().toString()));
    Programs.run(habitat, program, all.toArray(String[]::new));
    primary.start();
  }

  /** Both go on after the promotion; then the former primary is wound back, and takes over. */
  private static void rewind(Habitat habitat) throws Exception {
    PostgresServer former = habitat.primary();
    PostgresServer standby = habitat.standbyOf(former);
    awaitReplay(standby, former);
    standby.query("postgres", "select pg_promote(true)");
    Habitat.await(standby, "select not pg_is_in_recovery()", "the standby is promoted");
    former.execute(
        "postgres",
        "create table lost as select generate_series(1, 10000) i",
        "update zoo_common set t = 'lost'");
    standby.execute(
        "postgres",
        "create table won as select generate_series(1, 10000) i",
        "update zoo_common set t = t || 'won' where id % 7 = 0",
        "checkpoint");
    former.stop();
    Programs.run(
        habitat,
        "pg_rewind",
        "--no-sync",
        "--target-pgdata=" + former.dataDirectory(),
        "--source-server=host=127.0.0.1 user=postgres dbname=postgres port=" + standby.port());
    Habitat.write(former.dataDirectory().resolve("standby.signal"), "");
    former.setting(
        "primary_conninfo", "host=127.0.0.1 user=postgres sslmode=disable port=" + standby.port());
    former.start();
    awaitReplay(former, standby);
    standby.stop();
    former.query("postgres", "select pg_promote(true)");
    Habitat.await(former, "select not pg_is_in_recovery()", "the former primary is promoted");
  }

  private static void awaitReplay(PostgresServer standby, PostgresServer primary) throws Exception {
    Habitat.await(
        standby,
        "select pg_last_wal_replay_lsn() >= '" + primary.currentLsn() + "'::pg_lsn",
        "the standby caught up");
  }

  /** To a cluster of the same major: what is kept and what is made anew is the same. */
  private static void upgrade(Habitat habitat) throws Exception {
    PostgresServer old = habitat.primary();
    habitat.execute(
        "create table kept(i int primary key, t text)",
        "insert into kept select i, repeat(i::text, 2000) from generate_series(1, 1000) i",
        "alter table kept drop column t, add column n numeric default 1.5",
        "create database other",
        "create type mood as enum ('a', 'b')",
        "create table moods as select 'a'::mood m");
    habitat.executeIn("other", "create table t as select generate_series(1, 1000) i");
    old.stop();
    Path data = habitat.directory("upgraded").resolve("data");
    Programs.run(
        habitat,
        "initdb",
        "--pgdata=" + data,
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--auth=trust");
    String programs = Programs.directory(habitat.major()).toString();
    Programs.run(
        habitat,
        "pg_upgrade",
        "--old-bindir=" + programs,
        "--new-bindir=" + programs,
        "--old-datadir=" + old.dataDirectory(),
        "--new-datadir=" + data,
        "--username=postgres",
        "--old-port=" + FreePort.reserved(),
        "--new-port=" + FreePort.reserved());
    Path rules = data.resolve("pg_hba.conf");
    Files.copy(
        old.dataDirectory().resolve("pg_hba.conf"), rules, StandardCopyOption.REPLACE_EXISTING);
    PostgresServer.own(rules);
    PostgresServer upgraded = habitat.own(habitat.builder().on(data));
    upgraded.start();
    habitat.primary(upgraded);
    // Until then the oldest xid is no database's, as pg_resetwal left it.
    habitat.execute("vacuum pg_class", "checkpoint");
  }
}
