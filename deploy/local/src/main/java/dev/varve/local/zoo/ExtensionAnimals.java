package dev.varve.local.zoo;

import java.nio.file.Path;
import java.util.List;

/** The contrib modules, with data where they have types and indexes. */
final class ExtensionAnimals {
  private ExtensionAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("extensions", "every contrib extension that can be created")
            .built(habitat -> {
              // The languages that these are or want are not there.
              List<String> names =
                  habitat
                      .primary()
                      .column(
                          "postgres",
                          "select name from pg_available_extensions where installed_version is null"
                              + " and name !~ 'pl(perl|python|tcl)' order by 1");
              for (String name : names) {
                habitat.execute("create extension if not exists \"" + name + "\" cascade");
              }
            }),
        Animal.named("extension-types", "hstore, ltree, cube, seg, citext, isn, lo, uuid with data")
            .built(
                "create extension hstore",
                "create extension ltree",
                "create extension cube",
                "create extension seg",
                "create extension earthdistance",
                "create extension citext",
                "create extension isn",
                "create extension lo",
                "create extension \"uuid-ossp\"",
                "create extension pgcrypto",
                "create table e(i int, h hstore, l ltree, c cube, s seg, ci citext, b isbn, o lo, u uuid, p text)",
                "insert into e select i, hstore('k' || i, 'v'), ('top.n' || i % 50)::ltree, cube(i, i + 1), (i || ' .. ' || i + 1)::seg,"
                    + " 'CiText' || i, '978-0-393-04002-9', null, uuid_generate_v4(), crypt('p' || i, gen_salt('md5'))"
                    + " from generate_series(1, 400) i",
                "create index on e using gin(h)",
                "create index on e using gist(h)",
                "create index on e using gist(l)",
                "create index on e using gist(c)",
                "create index on e using gist(s)",
                "create index on e(ci)",
                "create index on e(b)")
            .attached("delete from e where i % 3 = 0", "vacuum e", "update e set ci = upper(ci)"),
        Animal.named("extension-indexes", "bloom, intarray, pg_trgm, btree_gin, btree_gist")
            .built(
                "create extension bloom",
                "create extension intarray",
                "create extension pg_trgm",
                "create extension btree_gin",
                "create extension btree_gist",
                "create extension unaccent",
                "create extension tsm_system_rows",
                "create extension tsm_system_time",
                "create table x(i int, j int, a int[], t text, r int4range, exclude using gist (i with =, r with &&))",
                "insert into x select i, i % 100, array[i, i + 1], md5(i::text), int4range(i, i + 10) from generate_series(1, 3000) i",
                "create index on x using bloom(i, j)",
                "create index on x using gin(a gin__int_ops)",
                "create index on x using gist(a gist__intbig_ops)",
                "create index on x using gin(t gin_trgm_ops)",
                "create index on x using gist(t gist_trgm_ops)",
                "create index on x using gin(i, j)",
                "create index on x using gist(i, t)")
            .attached(
                "insert into x select i, i % 100, array[i, i + 1], md5(i::text), int4range(i, i + 10) from generate_series(3001, 6000) i",
                "delete from x where i % 4 = 0", "vacuum x"),
        Animal.named("foreign-data", "postgres_fdw to itself, file_fdw, dblink")
            .built(habitat -> {
              Path file = habitat.directory("files").resolve("f.csv");
              Habitat.write(file, "1,a\n2,b\n");
              habitat.execute(
                  "create extension postgres_fdw",
                  "create extension file_fdw",
                  "create extension dblink",
                  "create server itself foreign data wrapper postgres_fdw options (host '127.0.0.1', port '"
                      + habitat.primary().port()
                      + "', dbname 'postgres')",
                  "create user mapping for postgres server itself options (user 'postgres', password_required 'false')",
                  "create schema far",
                  "import foreign schema public limit to (zoo_common) from server itself into far",
                  "create server files foreign data wrapper file_fdw",
                  "create foreign table f(i int, t text) server files options (filename '"
                      + file
                      + "', format 'csv')",
                  "create materialized view m as select count(*) from far.zoo_common");
            }),
        Animal.named(
                "languages",
                "functions and triggers in SQL and PL/pgSQL, casts, operators, aggregates")
            .built(
                "create type pair as (a int, b text)",
                "create function twice(int) returns int language sql immutable return $1 * 2",
                "create function noted() returns trigger language plpgsql as $$ begin new.t := new.t || '!'; return new; end $$",
                "create table n(i int, t text, g int generated always as (i * 2) stored, p pair)",
                "create trigger noted before insert or update on n for each row execute function noted()",
                "create rule r as on delete to n do instead update n set t = 'deleted' where i = old.i",
                "create operator ### (leftarg = int, rightarg = int, function = int4pl)",
                "create aggregate mysum(int) (sfunc = int4pl, stype = int, initcond = '0')",
                "create cast (pair as text) with inout",
                "create index on n(twice(i))",
                "insert into n(i, t, p) select i, 't', (i, 'x')::pair from generate_series(1, 100) i",
                "delete from n where i < 10",
                "create procedure pr() language plpgsql as $$ begin commit; end $$",
                "create view v as select x from (select 1 ### 2) as s(x)"));
  }
}
