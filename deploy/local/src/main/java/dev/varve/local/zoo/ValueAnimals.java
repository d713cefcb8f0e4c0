package dev.varve.local.zoo;

import java.util.List;

/** Values at their ends, and where relations and databases can lie. */
final class ValueAnimals {
  private ValueAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named(
                "large-object-ends", "large objects: the last ids, the last bytes; moved elsewhere")
            .setting("allow_system_table_mods", "on")
            .built(habitat ->
                habitat.execute(
                    "select lo_create(4294967295::oid)",
                    "select lo_put(4294967295::oid, 4398046509000, 'end')",
                    "select lo_put(4294967295::oid, 2199023255552, 'middle')",
                    "select lo_create(2147483648::oid)",
                    "select lo_put(2147483648::oid, 0, 'x')",
                    "create tablespace objects location '" + habitat.directory("objects") + "'",
                    "alter table pg_largeobject set tablespace objects"))
            .attached(
                "select lo_put(4294967295::oid, 4398046509040, 'later')",
                "vacuum full pg_largeobject",
                "grant select on large object 2147483648 to public")
            .computed(
                "select lo_get(4294967295::oid, 4398046509040, 5)", "vacuum full pg_largeobject"),
        Animal.named("sequences", "sequences at their ends, down, around, cached, unlogged")
            .built(
                "create sequence full_up start 9223372036854775807",
                "select nextval('full_up')",
                "create sequence around minvalue -9223372036854775808"
                    + " maxvalue 9223372036854775807 start 9223372036854775807 cycle",
                "select nextval('around') from generate_series(1, 40)",
                "create sequence down increment -1",
                "select nextval('down') from generate_series(1, 100)",
                "create sequence at_bottom increment -1 minvalue -9223372036854775808"
                    + " start -9223372036854775807",
                "select nextval('at_bottom'), nextval('at_bottom')",
                "create sequence cached cache 1000000",
                "select nextval('cached')",
                "create sequence stepping increment 4611686018427387904",
                "select nextval('stepping'), nextval('stepping')",
                "create sequence small as smallint cycle",
                "select setval('small', 32767)",
                "select setval('down', -5, false)",
                "create unlogged sequence unlogged_sequence start 50",
                "select nextval('unlogged_sequence')",
                "create table identities(i bigint generated always as identity"
                    + " (start 9223372036854775800))",
                "insert into identities select from generate_series(1, 3)")
            .attached(
                "select nextval('cached'), nextval('down')",
                "alter sequence full_up restart",
                "select setval('around', -9223372036854775808)",
                "alter sequence unlogged_sequence set logged",
                "alter sequence cached set unlogged"),
        Animal.named("wide-values", "values of 200 MB, and rows of 200 wide columns")
            .built(
                "create table wide(i int, t text, b bytea)",
                "alter table wide alter t set storage external",
                "insert into wide values (1, repeat('x', 200000000), null)",
                "insert into wide select 2, null, decode(repeat('00', 50000000), 'hex')",
                "do $$ begin execute 'create table columns(' || (select string_agg('c' || i || ' text', ',')"
                    + " from generate_series(1, 200) i) || ')'; end $$",
                "do $$ begin execute 'insert into columns select '"
                    + " || (select string_agg('repeat(md5(''' || i || '''), 100)', ',')"
                    + " from generate_series(1, 200) i) || ' from generate_series(1, 20)'; end $$")
            .attached("update columns set c1 = 'x', c200 = repeat('y', 100000)"),
        Animal.named("segments-cut", "a relation of three segments, cut off to a few pages")
            .built(habitat -> {
              ObjectAnimals.grow(habitat, 2);
              habitat.execute("create index on large(i)");
            })
            .attached(
                "delete from large where i > 0",
                "vacuum (truncate) large",
                "insert into large select generate_series(1, 1000)",
                "create table large_too as select * from large"),
        Animal.named("unlogged-everywhere", "unlogged tables in tablespaces, moved, after a crash")
            .built(habitat -> {
              habitat.execute(
                  "create tablespace one location '" + habitat.directory("one") + "'",
                  "create unlogged table u1(i int primary key, t text) tablespace one",
                  "insert into u1 select i, repeat(md5(i::text), 200)"
                      + " from generate_series(1, 500) i",
                  "create unlogged table u2 tablespace one as select generate_series(1, 1000) i",
                  "create index on u1 using brin(i)",
                  "create index on u1 using spgist(t)",
                  "create database unlogged_too tablespace one");
              habitat.executeIn(
                  "unlogged_too", "create unlogged table u as select generate_series(1, 1000) i");
              habitat.primary().stopImmediately();
              habitat.primary().start();
              habitat.execute("insert into u1 values (1, 'after the crash')");
            })
            .attached(
                "alter table u1 set tablespace pg_default",
                "alter table u2 set tablespace pg_default",
                "alter table u2 set tablespace one",
                "create unlogged table u3 tablespace one as select generate_series(1, 1000) i",
                "alter table u3 set logged",
                "create database unlogged_copy template unlogged_too strategy wal_log")
            .computed(
                "insert into u1 values (2, 'x')",
                "insert into u2 values (2)",
                "vacuum full u1",
                "select * from u2"),
        Animal.named("collations", "ICU rules, versions that do not match, not deterministic")
            .on(major -> major >= 16)
            .initdb(
                "--locale-provider=icu",
                "--icu-locale=en",
                "--icu-rules=&a < g",
                "--locale=C.UTF-8")
            .built(
                "create collation ruled (provider = icu, locale = 'und', rules = '&V << w <<< W')",
                "create collation folded (provider = icu, locale = 'und-u-ks-level1',"
                    + " deterministic = false)",
                "create table words(w text, r text collate ruled, f text collate folded unique)",
                "insert into words select chr(64 + i % 60) || i, chr(64 + i % 60), 'x' || i"
                    + " from generate_series(1, 500) i",
                "create index on words(w)",
                "create index on words(r)",
                "update pg_collation set collversion = '1.2.3'"
                    + " where collname in ('ruled', 'de-x-icu')",
                "create database mismatched template template0 icu_locale 'de' locale_provider icu",
                "update pg_database set datcollversion = '9.9' where datname = 'mismatched'",
                "alter collation folded rename to \"Ge faltet\""),
        Animal.named("providers", "databases of every locale provider and of many encodings")
            .on(major -> major >= 17)
            .built(habitat -> {
              habitat.execute(
                  "create database b1 template template0 locale_provider builtin"
                      + " builtin_locale 'C.UTF-8' locale 'C'",
                  "create database b2 template template0 locale_provider builtin"
                      + " builtin_locale 'C' locale 'C'",
                  "create database b3 template template0 locale_provider libc locale 'C.UTF-8'",
                  "create database b4 template template0 locale_provider icu icu_locale 'und'"
                      + " locale 'C'",
                  "create database b5 template template0 encoding 'LATIN1' locale 'C'",
                  "create database b6 template template0 encoding 'EUC_JP' locale 'C'",
                  "create database b7 template template0 encoding 'SQL_ASCII' locale 'C'");
              for (int i = 1; i <= 7; i++) {
                habitat.executeIn(
                    "b" + i,
                    "create table words as select chr(i) w from generate_series(65, 120) i",
                    "create index on words(upper(w))");
              }
              habitat.executeIn(
                  "b5", "create role \"Jörg\" login password 'j'", "create schema \"Größe\"");
            }));
  }
}
