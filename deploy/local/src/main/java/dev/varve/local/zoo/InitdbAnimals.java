package dev.varve.local.zoo;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What {@code initdb} can be asked for, and what can lie in a data directory. */
final class InitdbAnimals {
  private InitdbAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("plain", "as `initdb` makes it"),
        Animal.named("checksums", "`-k`").checksums(),
        Animal.named("segments-1", "`--wal-segsize=1`").initdb("--wal-segsize=1"),
        Animal.named("segments-64", "`--wal-segsize=64`")
            .initdb("--wal-segsize=64")
            .setting("min_wal_size", "128MB"),
        Animal.named("segments-1024", "`--wal-segsize=1024`, checksums")
            .initdb("--wal-segsize=1024")
            .checksums()
            .setting("min_wal_size", "2GB")
            .setting("max_wal_size", "4GB"),
        Animal.named("latin1", "`--encoding=LATIN1`")
            .initdb("--encoding=LATIN1")
            .built(
                "create table \"Größe\"(\"Maß\" text)",
                "insert into \"Größe\" values ('äöü')",
                "comment on table \"Größe\" is 'é'"),
        Animal.named("sql-ascii", "`--encoding=SQL_ASCII`, with bytes of no encoding")
            .initdb("--encoding=SQL_ASCII")
            .built(
                "create table bytes(t text)",
                "do $$ begin execute E'insert into bytes values (''\\xe9\\xff'')'; end $$",
                "do $$ begin execute E'comment on table bytes is ''\\xe9\\xfe'''; end $$"),
        Animal.named("c-utf8", "`--locale=C.UTF-8`").initdb("--locale=C.UTF-8"),
        Animal.named("icu", "`--locale-provider=icu`")
            .initdb("--locale-provider=icu", "--icu-locale=de-DE", "--locale=C.UTF-8")
            .built(
                "create table words(w text)",
                "insert into words values ('Zebra'), ('Äpfel'), ('apfel'), ('öde')",
                "create index on words(w)",
                "create collation nondet (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
                "create table names(n text collate nondet unique)",
                "insert into names values ('Meyer')",
                "create database other template template0 locale_provider libc locale 'C'"),
        Animal.named("builtin", "`--locale-provider=builtin`")
            .on(major -> major >= 17)
            .initdb("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8")
            .built("create table words as select chr(i) w from generate_series(65, 1000) i"),
        Animal.named("group-access", "`--allow-group-access`").initdb("--allow-group-access"),
        Animal.named("auth-md5", "`--auth=md5`, roles of both kinds")
            .initdb("--auth=md5")
            .password("of the superuser")
            .configured(InitdbAnimals::trustSuperuser)
            .built(
                "set password_encryption = md5",
                "create role old login password 'of md5'",
                "set password_encryption = 'scram-sha-256'",
                "create role young login password 'of scram'")
            .login("old", "of md5")
            .login("young", "of scram"),
        Animal.named("auth-scram", "`--auth=scram-sha-256`")
            .initdb("--auth=scram-sha-256")
            .password("of the superuser")
            .configured(InitdbAnimals::trustSuperuser)
            .built("create role young login password 'of scram'")
            .login("young", "of scram"),
        Animal.named("text-search", "`--text-search-config=german`")
            .initdb("--text-search-config=german")
            .built(
                "create table doc(t text, v tsvector generated always as (to_tsvector('german', t)) stored)",
                "insert into doc(t) values ('die Häuser der Stadt')"),
        Animal.named("waldir", "`-X`: WAL elsewhere")
            .configured(habitat -> {
              Path log = habitat.directory("log").resolve("wal");
              Path inside = habitat.primary().dataDirectory().resolve("pg_wal");
              Files.move(inside, log);
              Files.createSymbolicLink(inside, log);
            }),
        Animal.named("superuser", "a superuser whose name has capitals and blanks")
            .superuser("Karl von Neumann"),
        Animal.named("set", "`--set`, several")
            .on(major -> major >= 16)
            .initdb("--set=work_mem=7MB", "--set=datestyle=german", "--set=timezone=Asia/Tokyo"),
        Animal.named("stray-files", "files and directories that are nobody's")
            .configured(habitat -> {
              Path data = habitat.primary().dataDirectory();
              Habitat.write(data.resolve("notes of the admin.txt"), "x".repeat(100_000));
              Habitat.write(data.resolve("base/1/12345.bak"), "not a relation");
              Habitat.write(data.resolve("base/1/t3_16400"), "of a session that died");
              Habitat.write(data.resolve("base/1/9999999"), "");
              Habitat.write(data.resolve("global/pg_internal.init.1"), "x");
              Habitat.write(data.resolve("pg_xact/README"), "x");
              Habitat.write(data.resolve("pg_wal/000000010000000000000000.partial"), "x");
              Habitat.write(data.resolve("core"), "x");
              Habitat.write(data.resolve("postgresql.conf.save"), "x");
              habitat.directory(data.resolve("lost+found").toString());
              habitat.directory(data.resolve("base/pgsql_tmp").toString());
              Habitat.write(data.resolve("base/pgsql_tmp/pgsql_tmp1.0"), "x");
              habitat.directory(data.resolve("log").toString());
              Habitat.write(data.resolve("log/postgresql-Mon.log"), "x");
            }),
        Animal.named("hba", "odd rules in `pg_hba.conf`, a map in `pg_ident.conf`")
            .configured(habitat -> {
              Path data = habitat.primary().dataDirectory();
              Path hba = data.resolve("pg_hba.conf");
              String rules = Files.readString(hba);
              Habitat.write(
                  hba,
                  """
                  # quoted names, groups, several databases
                  host "replication","all" refused 127.0.0.2/32 reject
                  host all "+grp" 127.0.0.2/32 scram-sha-256
                  hostssl all secure 127.0.0.2/32 scram-sha-256
                  host all secure 127.0.0.2/32 reject
                  host template1 only_template 127.0.0.2/32 md5
                  host all only_template 127.0.0.2/32 reject
                  local all all peer map=admins
                  """
                      + rules);
              Habitat.write(data.resolve("pg_ident.conf"), "admins /^(.*)@corp$ \\1\n");
            })
            .built(
                "create role refused login password 'r'",
                "create role grp",
                "create role member login password 'm' in role grp",
                "create role secure login password 's'",
                "create role only_template login password 'o'")
            .login("refused", "r")
            .login("member", "m")
            .login("secure", "s")
            .login("only_template", "o"),
        Animal.named("together", "`-k`, 4 MB segments, LATIN1, group access, WAL elsewhere")
            .checksums()
            .initdb("--wal-segsize=4", "--encoding=LATIN1", "--allow-group-access")
            .setting("wal_compression", "on"),
        Animal.named("logins", "roles: md5, SCRAM, expired, without login, renamed, limited")
            .built(
                "set password_encryption = md5",
                "create role md5_role login password 'md5'",
                "create role md5_renamed_before login password 'md5'",
                "alter role md5_renamed_before rename to md5_renamed",
                "set password_encryption = 'scram-sha-256'",
                "create role scram_role login password 'scram'",
                "create role scram_before login password 'scram'",
                "alter role scram_before rename to \"Scram renamed\"",
                "create role expired login password 'e' valid until '2001-01-01'",
                "create role forever login password 'f' valid until 'infinity'",
                "create role no_login password 'n'",
                "create role no_password login",
                "create role limited login password 'l' connection limit 0",
                "create role configured login password 'c'",
                "alter role configured set work_mem = '9MB'",
                "alter role configured set role = 'scram_role'",
                "grant scram_role to configured")
            .login("md5_role", "md5")
            .login("md5_renamed", "md5")
            .login("scram_role", "scram")
            .login("Scram renamed", "scram")
            .login("expired", "e")
            .login("forever", "f")
            .login("no_login", "n")
            .login("no_password", "x")
            .login("limited", "l")
            .login("configured", "c")
            .login("nobody_knows", "x"));
  }

  /** The pageserver, the look at the settings and the standby come without a password. */
  private static void trustSuperuser(Habitat habitat) throws Exception {
    Path hba = habitat.primary().dataDirectory().resolve("pg_hba.conf");
    String rules = Files.readString(hba);
    Habitat.write(
        hba,
        "host all,replication \""
            + habitat.animal().superuser()
            + "\" 127.0.0.1/32 trust\n"
            + rules);
  }
}
