package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What a database can hold, in kind and in number. */
final class ObjectAnimals {
  private static final int TABLES = 10_000;

  private ObjectAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("tables-10000", "10,000 tables")
            .setting("max_locks_per_transaction", "256")
            .built(habitat -> {
              for (int from = 0; from < TABLES; from += 1000) {
                habitat.execute(
                    "do $$ begin for i in "
                        + from
                        + ".."
                        + (from + 999)
                        + " loop execute 'create table t' || i || '(i int)'; end loop; end $$");
              }
              habitat.execute("insert into t17 values (1)");
            }),
        Animal.named("columns-1600", "1,600 columns, dropped ones among them")
            .built(
                "create table wide("
                    + IntStream.range(0, 1600)
                        .mapToObj(i -> "c" + i + " int")
                        .collect(Collectors.joining(","))
                    + ")",
                "insert into wide(c0, c1599) select i, i from generate_series(1, 100) i",
                "alter table wide drop column c5",
                "create table dropped(a int)",
                "do $$ begin for i in 1..500 loop execute 'alter table dropped add b' || i || ' int default ' || i;"
                    + " execute 'alter table dropped drop b' || i; end loop; end $$",
                "insert into dropped values (1)"),
        Animal.named("partitions-1000", "1,000 partitions, attached and detached")
            .setting("max_locks_per_transaction", "256")
            .built(
                "create table p(i int, t text) partition by range (i)",
                "do $$ begin for i in 0..999 loop execute format('create table p%s partition of p for values from (%s) to (%s)', i, i * 10, i * 10 + 10);"
                    + " end loop; end $$",
                "insert into p select i, md5(i::text) from generate_series(0, 9999) i",
                "create index on p(i)")
            .attached("alter table p detach partition p5", "drop table p6", "truncate p7"),
        Animal.named("segments", "a relation of more than 1 GB")
            .built(habitat -> grow(habitat, 1))
            .attached(
                "insert into large select generate_series(1, 1000)", "update large set i = i + 1"),
        Animal.named("unlogged", "unlogged tables, sequences and indexes")
            .built(
                "create unlogged table u(id serial primary key, t text)",
                "insert into u(t) select repeat('x', 5000) || i from generate_series(1, 500) i",
                "create index on u using gin(to_tsvector('english', t))",
                "create index on u using hash(t)",
                "create table was_logged as select generate_series(1, 1000) i",
                "alter table was_logged set unlogged",
                "create unlogged table was_unlogged as select generate_series(1, 1000) i",
                "alter table was_unlogged set logged")
            .attached(
                "alter table was_logged set logged",
                "alter table was_unlogged set unlogged",
                "create unlogged table later as select generate_series(1, 1000) i")
            .computed("insert into u(t) values ('after')", "select * from u"),
        Animal.named("indexes", "every access method, and indexes in every state")
            .built(
                "create table x(i int, t text, p point, a int[], v tsvector, r int4range, n inet)",
                "insert into x select i, md5(i::text), point(i, i), array[i % 100, i], to_tsvector('english', 'word' || i), int4range(i, i + 5),"
                    + " ('10.0.' || i % 250 || '.1')::inet from generate_series(1, 3000) i",
                "create index on x(i, t) include (n)",
                "create index on x(lower(t)) where i % 2 = 0",
                "create index on x using hash(t)",
                "create index on x using gin(a)",
                "create index on x using gin(v)",
                "create index on x using gist(p)",
                "create index on x using gist(r)",
                "create index on x using spgist(p)",
                "create index on x using spgist(t)",
                "create index on x using spgist(n)",
                "create index on x using brin(i)",
                "create index on x using brin(n inet_minmax_multi_ops)",
                "create index concurrently on x(n)")
            .attached(
                "delete from x where i % 3 = 0",
                "vacuum x",
                "insert into x select i, md5(i::text), point(i, i), array[i % 100, i], to_tsvector('english', 'word' || i), int4range(i, i + 5),"
                    + " ('10.0.' || i % 250 || '.1')::inet from generate_series(3001, 4500) i",
                "reindex index concurrently x_n_idx",
                "cluster x using x_i_t_n_idx"),
        Animal.named(
                "catalog-objects",
                "policies, publications, statistics, text search, domains, enums, rules")
            .built(
                "create table secret(owner text, t text)",
                "alter table secret enable row level security",
                "alter table secret force row level security",
                "create policy own on secret using (owner = current_user)",
                "create publication part for table secret where (t is not null)",
                "create statistics st (ndistinct, dependencies, mcv) on owner, t from secret",
                "insert into secret select 'o' || i % 5, 't' || i % 7 from generate_series(1, 1000) i",
                "analyze secret",
                "create text search dictionary dict (template = simple, stopwords = english)",
                "create text search configuration conf (copy = english)",
                "alter text search configuration conf alter mapping for asciiword with dict",
                "create domain positive as int check (value > 0)",
                "create type mood as enum ('sad', 'ok')",
                "create type span as range (subtype = float8)",
                "create table kinds(p positive, m mood, s span, ms span[], mr span_multirange, x xml, j jsonb, b bit varying)",
                "insert into kinds values (1, 'ok', '[1,2]', '{\"[1,2)\"}', '{[1,2)}', '<a/>', '{\"a\": 1}', B'101')",
                "create rule ins as on insert to secret where new.t = 'no' do instead nothing",
                "create collation c1 from \"C\"",
                "create access method heap2 type table handler heap_tableam_handler",
                "create table other_am(i int) using heap2",
                "insert into other_am select generate_series(1, 100)",
                "comment on table secret is 'Straße ☃'",
                "create conversion conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8")
            .attached(
                "begin; alter type mood add value 'happy' after 'ok'; commit",
                "begin; create type colour as enum ('red'); alter type colour add value 'blue'; create table coloured(c colour); insert into coloured values ('blue'); commit",
                "update kinds set m = 'happy'",
                "alter domain positive add constraint small check (value < 100)"),
        Animal.named("large-objects", "large objects, and one of 20 MB")
            .built(
                "select lo_from_bytea(0, decode(md5(i::text), 'hex')) from generate_series(1, 2000) i",
                "select lo_from_bytea(1, decode(repeat(md5('x'), 1250000 / 2), 'hex'))")
            .attached(
                "select lo_unlink(1)",
                "select lo_put(oid, 100000, '\\xff') from pg_largeobject_metadata limit 50"),
        Animal.named(
                "rewritten", "VACUUM FULL, CLUSTER, TRUNCATE, REINDEX SYSTEM: other file numbers")
            .built("create database other", "vacuum full", "reindex system postgres")
            .attached(
                "vacuum full pg_class",
                "vacuum full pg_database",
                "vacuum full pg_authid",
                "cluster pg_index using pg_index_indexrelid_index",
                "reindex table pg_class",
                "truncate zoo_common restart identity",
                "begin; truncate zoo_common; insert into zoo_common(t) values ('gone'); rollback"),
        Animal.named("shrunk", "tables that grew, were cut off by vacuum, and grew again")
            .built(
                "create table s as select i, repeat('x', 500) t from generate_series(1, 20000) i")
            .attached(
                "delete from s where i > 100",
                "vacuum s",
                "insert into s select i, 'again' from generate_series(101, 5000) i",
                "delete from s",
                "vacuum s",
                "insert into s values (1, 'last')"),
        Animal.named("statistics-many", "a table with all kinds of columns, analyzed")
            .built(columns()));
  }

  private static String[] columns() {
    List<String> types =
        List.of(
            "int2",
            "int4",
            "int8",
            "numeric",
            "float4",
            "float8",
            "money",
            "char(5)",
            "varchar(9)",
            "text",
            "bytea",
            "date",
            "time",
            "timetz",
            "timestamp",
            "timestamptz",
            "interval",
            "bool",
            "point",
            "box",
            "circle",
            "inet",
            "cidr",
            "macaddr",
            "bit(3)",
            "uuid",
            "xml",
            "json",
            "jsonb",
            "int[]",
            "tsquery",
            "pg_lsn",
            "name",
            "oid",
            "regclass");
    List<String> statements = new ArrayList<>();
    statements.add(
        "create table kinds("
            + IntStream.range(0, types.size())
                .mapToObj(i -> "c" + i + " " + types.get(i))
                .collect(Collectors.joining(","))
            + ")");
    statements.add(
        "insert into kinds(c0, c3, c9, c28) select i % 100, i * 1.5, md5(i::text), jsonb_build_object('a', i) from generate_series(1, 2000) i");
    statements.add(
        "insert into kinds(c15, c16, c24, c29) values ('now', '1 day', B'101', '{1,2}')");
    statements.add("analyze kinds");
    return statements.toArray(String[]::new);
  }

  /**
   * A table whose first segments are full: of pages of zeros, such as an extension leaves that a
   * crash cut off.
   */
  static void grow(Habitat habitat, int full) throws Exception {
    habitat.execute("create table large(i int)", "insert into large values (0)", "checkpoint");
    String name = habitat.query("select pg_relation_filepath('large')");
    PostgresServer primary = habitat.primary();
    primary.stop();
    Path data = primary.dataDirectory();
    for (int segment = 0; segment <= full; segment++) {
      Path path = data.resolve(segment == 0 ? name : name + "." + segment);
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.setLength(segment == full ? 8192L * 100 : 1L << 30);
      }
      PostgresServer.own(path);
    }
    primary.start();
  }
}
