package dev.varve.local.zoo;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Databases, tablespaces and roles as they come and go. */
final class DatabaseAnimals {
  private DatabaseAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("renamed", "databases, roles, tablespaces and schemas that were renamed")
            .built(habitat -> {
              Path place = habitat.directory("place");
              habitat.execute(
                  "create role first login password 'p'",
                  "create database first owner first",
                  "create tablespace first location '" + place + "'",
                  "create schema first",
                  "create table first.t tablespace first as select generate_series(1, 100) i",
                  "alter role first rename to \"Zweiter Name\"",
                  "alter database first rename to \"Zweite Datenbank \"\"x\"\"\"",
                  "alter tablespace first rename to \"Zweiter Platz\"",
                  "alter schema first rename to second");
            })
            .attached(
                "alter role \"Zweiter Name\" rename to third",
                "alter database \"Zweite Datenbank \"\"x\"\"\" rename to third",
                "alter tablespace \"Zweiter Platz\" rename to third",
                "alter schema second rename to third")
            .login("third", "p"),
        Animal.named("tablespace-dropped", "tablespaces that were used and dropped")
            .built(habitat -> {
              Path before = habitat.directory("before");
              habitat.execute(
                  "create tablespace before location '" + before + "'",
                  "create table x(i int) tablespace before",
                  "insert into x values (1)",
                  "drop table x",
                  "drop tablespace before");
            })
            .attached(habitat -> {
              Path after = habitat.directory("after");
              habitat.execute(
                  "create tablespace after location '" + after + "'",
                  "create table x(i int) tablespace after",
                  "insert into x values (1)",
                  "drop table x",
                  "drop tablespace after");
            }),
        Animal.named("tables-moved", "tables that moved between tablespaces, and all of one")
            .built(habitat -> {
              habitat.execute(
                  "create tablespace one location '" + habitat.directory("one") + "'",
                  "create tablespace two location '" + habitat.directory("two") + "'",
                  "create tablespace empty location '" + habitat.directory("empty") + "'",
                  "create table a(i int primary key, t text) tablespace one",
                  "insert into a select i, repeat('x', 3000) || i from generate_series(1, 500) i",
                  "create table b tablespace two as table a",
                  "create index on b(i) tablespace one");
            })
            .attached(
                "alter table a set tablespace two",
                "alter table b set tablespace pg_default",
                "alter index b_i_idx set tablespace two",
                "alter table all in tablespace two set tablespace one",
                "alter table a set tablespace two",
                "vacuum full a",
                "truncate b",
                "reindex table a")
            .computed("drop tablespace empty"),
        Animal.named("tablespace-drop-on-copy", "a tablespace that the compute empties and drops")
            .built(habitat ->
                habitat.execute(
                    "create tablespace one location '" + habitat.directory("one") + "'",
                    "create table a tablespace one as select generate_series(1, 1000) i"))
            .computed("drop table a", "checkpoint", "drop tablespace one"),
        Animal.named("tablespace-in-place", "in-place tablespaces, and a database in one")
            .setting("allow_in_place_tablespaces", "on")
            .built(
                "create tablespace inside location ''",
                "create table a tablespace inside as select generate_series(1, 1000) i",
                "create database inside tablespace inside")
            .attached(habitat -> {
              habitat.execute(
                  "create tablespace later location ''",
                  "create table b tablespace later as select generate_series(1, 1000) i");
              habitat.executeIn("inside", "create table t as select generate_series(1, 10) i");
            }),
        Animal.named("tablespace-names", "odd names of tablespaces and of their directories")
            .built(habitat -> {
              Path odd = habitat.directory("with blank \\ \"and\" ümlaut");
              habitat.execute(
                  "create tablespace \"Mit Blank und \"\"Quote\"\" ü\" location '" + odd + "'",
                  "create table a tablespace \"Mit Blank und \"\"Quote\"\" ü\" as select generate_series(1, 1000) i");
            }),
        Animal.named(
                "tablespace-places",
                "tablespaces behind links, in one directory, in the data directory")
            .built(habitat -> {
              Path shared = habitat.directory("shared");
              Path link = shared.resolve("link");
              Files.createSymbolicLink(link, habitat.directory("real"));
              Path inside = habitat.primary().dataDirectory().resolve("inside");
              habitat.execute(
                  "create tablespace linked location '" + link + "'",
                  "create tablespace one location '" + habitat.directory("shared/one") + "'",
                  "create tablespace two location '" + habitat.directory("shared/one/two") + "'",
                  "create tablespace inside location '"
                      + habitat.directory(inside.toString())
                      + "'",
                  "create database here tablespace inside",
                  "alter database here set default_tablespace = linked");
              for (String name : List.of("linked", "one", "two", "inside")) {
                habitat.execute(
                    "create table t_"
                        + name
                        + " tablespace "
                        + name
                        + " as select generate_series(1, 1000) i");
              }
              Habitat.write(inside.resolve("not PostgreSQL's.txt"), "x");
            })
            .attached(
                "alter table t_inside set tablespace linked",
                "alter table t_linked set tablespace inside")
            .computed(
                "alter table t_one set tablespace inside",
                "drop table t_two",
                "checkpoint",
                "drop tablespace two"),
        Animal.named("tablespace-path", "a tablespace with a path longer than a link in a tar file")
            .built(habitat -> {
              Path deep = habitat.directory("d".repeat(90) + "/" + "e".repeat(50));
              habitat.execute(
                  "create tablespace deep location '" + deep + "'",
                  "create table b tablespace deep as select generate_series(1, 1000) i");
            }),
        Animal.named("database-in-tablespace", "databases whose default is a tablespace")
            .built(habitat -> {
              habitat.execute(
                  "create tablespace one location '" + habitat.directory("one") + "'",
                  "create tablespace two location '" + habitat.directory("two") + "'",
                  "create database living tablespace one",
                  "create database moving tablespace one",
                  "create database leaving tablespace one");
              habitat.executeIn(
                  "living",
                  "create table t as select generate_series(1, 1000) i",
                  "create table d tablespace pg_default as select generate_series(1, 1000) i");
              habitat.executeIn("moving", "create table t as select generate_series(1, 1000) i");
            })
            .attached(
                "alter database moving set tablespace two",
                "alter database leaving set tablespace pg_default",
                "drop database leaving",
                "create database again template living tablespace two strategy file_copy"),
        Animal.named("databases", "templates, closed, limited and invalid databases")
            .built(
                "create database closed",
                "alter database closed allow_connections false",
                "create database limited connection limit 3",
                "create database source is_template true",
                "create database invalid",
                "update pg_database set datconnlimit = -2 where datname = 'invalid'",
                "alter database limited set timezone = 'Europe/Berlin'",
                "alter database limited set search_path = a, b, public")
            .attached(
                "create database wal_logged template source strategy wal_log",
                "create database copied template source strategy file_copy",
                "update pg_database set datallowconn = false where datname = 'copied'")
            .computed(
                "drop database invalid",
                "alter database closed allow_connections true",
                "create database of_source template source"),
        Animal.named(
                "databases-gone", "without `template0`, with another `postgres` and `template1`")
            .built(habitat -> {
              habitat.executeIn(
                  "template1",
                  "update pg_database set datistemplate = false where datname = 'template0'",
                  "drop database template0",
                  "alter database postgres rename to former",
                  "create database postgres",
                  "create database nobody connection limit 0",
                  "create database small allow_connections false");
              habitat.execute(
                  "update pg_database set datistemplate = false where datname = 'template1'",
                  "drop database template1",
                  "create database template1 template postgres is_template true",
                  "create table zoo_common(id serial primary key, t text)",
                  "create sequence zoo_sequence",
                  "vacuum pg_class", // the oldest xid is another database's
                  "checkpoint");
            }),
        Animal.named("databases-moving", "databases that move, come and go while it is copied")
            .built(habitat -> {
              habitat.execute(
                  "create tablespace one location '" + habitat.directory("one") + "'",
                  "create tablespace two location '" + habitat.directory("two") + "'",
                  "create tablespace gone location '" + habitat.directory("gone") + "'",
                  "create database moving tablespace one",
                  "create database staying",
                  "create table there tablespace gone as select generate_series(1, 1000) i");
              habitat.executeIn("moving", "create table t as select generate_series(1, 20000) i");
            })
            .during(habitat -> {
              habitat.execute("alter database moving set tablespace two");
              habitat.executeIn("moving", "insert into t select generate_series(1, 1000)");
              habitat.execute(
                  "alter table there set tablespace one",
                  "drop tablespace gone",
                  "alter database moving set tablespace pg_default");
              habitat.executeIn(
                  "moving", "insert into t select generate_series(1, 1000)", "checkpoint");
              habitat.execute(
                  "create database copied template moving strategy file_copy tablespace one",
                  "create database logged template moving strategy wal_log tablespace two",
                  "alter database staying set tablespace one",
                  "alter database copied rename to \"copied, renamed\"",
                  "drop database logged with (force)",
                  "alter database moving set tablespace one");
              habitat.executeIn("copied, renamed", "insert into t values (-1)");
            })
            .attached("alter database moving set tablespace two", "drop database staying"),
        Animal.named("databases-200", "200 databases")
            .built(habitat -> {
              String[] statements = new String[200];
              for (int i = 0; i < statements.length; i++) {
                statements[i] =
                    "create database d" + i + " strategy " + (i % 2 == 0 ? "wal_log" : "file_copy");
              }
              habitat.execute(statements);
            }),
        Animal.named("database-during-backup", "databases created and dropped while it is copied")
            .built("create database goes", "create database stays")
            .during(habitat -> {
              habitat.execute(
                  "create database by_wal strategy wal_log",
                  "create database by_copy strategy file_copy");
              habitat.executeIn("by_wal", "create table t as select generate_series(1, 1000) i");
              habitat.executeIn("by_copy", "create table t as select generate_series(1, 1000) i");
              habitat.execute(
                  "drop database goes", "create database copy template by_copy strategy file_copy");
            }),
        Animal.named("relations-during-backup", "relations dropped while it is copied")
            .built(habitat -> {
              List<String> statements = new ArrayList<>();
              for (int i = 0; i < 300; i++) {
                statements.add(
                    "create table r" + i + " as select generate_series(1, 2000) i, 'x' t");
              }
              habitat.execute(statements.toArray(String[]::new));
            })
            .during(habitat -> {
              for (int i = 0; i < 300; i++) {
                habitat.execute(
                    switch (i % 4) {
                      case 0 -> "drop table r" + i;
                      case 1 -> "truncate r" + i;
                      case 2 -> "alter table r" + i + " add primary key (i)";
                      default -> "delete from r" + i + " where i > 100";
                    });
              }
              habitat.execute("vacuum");
            }),
        Animal.named("roles", "memberships, default privileges, ACLs, settings of roles")
            .built(habitat -> {
              List<String> statements = new ArrayList<>();
              for (int i = 0; i < 200; i++) {
                statements.add("create role role" + i + " login password 'p" + i + "'");
                if (i > 0) {
                  statements.add("grant role" + (i - 1) + " to role" + i + " with admin option");
                }
                statements.add("grant select on zoo_common to role" + i);
              }
              statements.add("alter default privileges grant select on tables to role1");
              statements.add("alter role role5 set search_path = x, y");
              statements.add("alter role role5 in database postgres set work_mem = '1MB'");
              statements.add(
                  "alter role all set default_transaction_isolation = 'repeatable read'");
              habitat.execute(statements.toArray(String[]::new));
            })
            .login("role199", "p199"));
  }
}
