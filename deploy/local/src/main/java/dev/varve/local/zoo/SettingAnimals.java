package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;

/** Settings at their extremes. */
final class SettingAnimals {
  private SettingAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("connections", "`max_connections` 5000 and other large limits")
            .setting("max_connections", "5000")
            .setting("max_locks_per_transaction", "1024")
            .setting("max_worker_processes", "100")
            .setting("max_wal_senders", "100")
            .setting("max_replication_slots", "100"),
        Animal.named("connections-few", "`max_connections` 12 and other small limits")
            .setting("max_connections", "12")
            .setting("superuser_reserved_connections", "0")
            .setting("max_locks_per_transaction", "10")
            .setting("max_worker_processes", "1")
            .setting("max_wal_senders", "3")
            .setting("max_replication_slots", "2")
            .setting("max_prepared_transactions", "0"),
        Animal.named("prepared", "200 prepared transactions of 500")
            .setting("max_prepared_transactions", "500")
            .built(habitat -> {
              try (Connection connection = habitat.primary().connect("postgres");
                  Statement statement = connection.createStatement()) {
                for (int i = 0; i < 200; i++) {
                  statement.execute("begin");
                  statement.execute("create table prepared" + i + "(i int)");
                  statement.execute("savepoint s");
                  statement.execute("insert into prepared" + i + " values (1)");
                  statement.execute("prepare transaction 'number " + i + "'");
                }
              }
            })
            .attached(
                "commit prepared 'number 3'",
                "rollback prepared 'number 4'",
                "begin; insert into zoo_common(t) values ('later'); prepare transaction 'later'")
            .computed(
                "commit prepared 'number 5'",
                "select * from prepared5",
                "rollback prepared 'number 6'",
                "commit prepared 'later'"),
        Animal.named("commit-timestamps", "`track_commit_timestamp`, with data")
            .setting("track_commit_timestamp", "on")
            .built(SettingAnimals::manyTransactions)
            .attached(SettingAnimals::manyTransactions),
        Animal.named("commit-timestamps-later", "`track_commit_timestamp` from the attach on")
            .attached(habitat -> {
              restartWith(habitat, "track_commit_timestamp = on");
              manyTransactions(habitat);
            }),
        Animal.named(
                "commit-timestamps-off", "`track_commit_timestamp` until the attach, and not since")
            .setting("track_commit_timestamp", "on")
            .built(SettingAnimals::manyTransactions)
            .attached(habitat -> {
              restartWith(habitat, "track_commit_timestamp = off");
              manyTransactions(habitat);
            }),
        Animal.named("log-hints", "`wal_log_hints`, on and off again")
            .setting("wal_log_hints", "on")
            .attached(habitat -> {
              restartWith(habitat, "wal_log_hints = off");
              habitat.execute(
                  "update zoo_common set t = t || 'y'", "select count(*) from zoo_common");
            }),
        // By pglz: the binaries have neither lz4 nor zstd.
        Animal.named("compression", "`wal_compression`, large values")
            .setting("wal_compression", "on")
            .built(
                "create table toasted(id int primary key, t text)",
                "alter table toasted alter t set storage external",
                "insert into toasted select i, repeat(md5(i::text), 1000) from generate_series(1, 200) i",
                "alter table toasted alter t set storage main",
                "insert into toasted select i, repeat(md5(i::text), 1000) from generate_series(201, 400) i")
            .attached("checkpoint", "update toasted set t = t || 'x' where id % 3 = 0"),
        Animal.named("full-page-writes-off", "`full_page_writes` off")
            .setting("full_page_writes", "off"),
        Animal.named("logical", "`wal_level` logical, slots, decoding under way")
            .setting("wal_level", "logical")
            .built(
                "create table l(i int primary key, t text)",
                "alter table l replica identity full",
                "create publication everything for all tables",
                "select pg_create_logical_replication_slot('decoding', 'test_decoding')",
                "select pg_create_logical_replication_slot('two', 'pgoutput', false, true)",
                "insert into l select i, repeat('x', 300) from generate_series(1, 3000) i",
                "select count(*) from pg_logical_slot_get_changes('decoding', null, 500)")
            .attached(
                "update l set t = 'y' where i % 3 = 0",
                "select count(*) from pg_logical_slot_get_changes('decoding', null, 100)",
                "select pg_logical_emit_message(true, 'zoo', repeat('m', 100000))",
                "truncate l"),
        Animal.named("summarize", "`summarize_wal`")
            .on(major -> major >= 17)
            .setting("summarize_wal", "on")
            .computed(habitat -> {
              PostgresServer compute = habitat.compute();
              compute.execute(
                  "postgres",
                  "alter system set summarize_wal = on",
                  "select pg_reload_conf()",
                  "insert into zoo_common(t) select 'summarised' from generate_series(1, 1000)",
                  "checkpoint",
                  "checkpoint");
              compute.await(
                  "select count(*) > 0 from pg_available_wal_summaries()",
                  "the compute's WAL is summarised");
            }),
        Animal.named("archiving", "`archive_mode`, with a command that fails")
            .setting("archive_mode", "on")
            .setting("archive_command", "false")
            .attached("select pg_switch_wal()"),
        Animal.named("logging", "a log collector, everything logged")
            .setting("logging_collector", "on")
            .setting("log_destination", "csvlog,jsonlog,stderr")
            .setting("log_statement", "all")
            .setting("log_min_duration_statement", "0")
            .setting("log_line_prefix", "%m [%p] %q%u@%d ")
            .setting("log_timezone", "Asia/Tokyo"),
        Animal.named("answers", "time zone, date style, locales, search path in `postgresql.conf`")
            .setting("timezone", "America/New_York")
            .setting("datestyle", "SQL, DMY")
            .setting("intervalstyle", "iso_8601")
            .setting("default_text_search_config", "pg_catalog.french")
            .setting("lc_messages", "C.UTF-8")
            .setting("lc_monetary", "C.UTF-8")
            .setting("lc_numeric", "C.UTF-8")
            .setting("lc_time", "C.UTF-8")
            .setting("bytea_output", "escape")
            .setting("extra_float_digits", "0")
            .setting("search_path", "zoo, public")
            .setting("xmlbinary", "hex")
            .setting("xmloption", "document")
            .setting("default_transaction_isolation", "repeatable read")
            .setting("array_nulls", "off")
            .setting("transform_null_equals", "on")
            .setting("standard_conforming_strings", "off")
            .setting("password_encryption", "md5")
            .setting("default_table_access_method", "heap"),
        Animal.named("alter-system", "`ALTER SYSTEM`, before the attach and after it")
            .built(
                "alter system set timezone = 'Europe/Paris'",
                "alter system set datestyle = 'german'",
                "select pg_reload_conf()")
            .attached(habitat -> {
              habitat.execute(
                  "alter system set timezone = 'Asia/Kolkata'",
                  "alter system reset datestyle",
                  "alter system set default_text_search_config = 'pg_catalog.german'",
                  "select pg_reload_conf()");
              habitat
                  .primary()
                  .await(
                      "select current_setting('default_text_search_config') = 'pg_catalog.german'",
                      "the settings are read again");
            }),
        Animal.named("settings-in-catalogs", "`ALTER DATABASE` and `ALTER ROLE … SET`")
            .built(
                "create database other",
                "alter database other set timezone = 'Europe/Madrid'",
                "alter database other set my.place = 'other'",
                "alter database postgres set datestyle = 'SQL, MDY'",
                "alter role postgres set bytea_output = 'escape'",
                "alter role postgres in database other set intervalstyle = 'sql_standard'")
            .attached("alter role all set extra_float_digits = 2")
            .shows("my.place"),
        Animal.named("event-triggers", "event triggers, on login from 17 on")
            .built(habitat -> {
              habitat.execute(
                  "create table seen(what text)",
                  "create function note() returns event_trigger language plpgsql as"
                      + " $$ begin insert into seen values (tg_tag); end $$",
                  "create event trigger ddl on ddl_command_end execute function note()",
                  "create event trigger gone on sql_drop execute function note()",
                  "create event trigger again on table_rewrite execute function note()");
              if (habitat.major() >= 17) {
                habitat.execute(
                    "create function greet() returns event_trigger language plpgsql as"
                        + " $$ begin perform set_config('my.greeting', 'hello', false); end $$",
                    "create event trigger greets on login execute function greet()",
                    "alter event trigger greets enable always");
              }
            }),
        Animal.named("preloaded", "`shared_preload_libraries`, several with settings")
            .setting(
                "shared_preload_libraries",
                "pg_stat_statements,auto_explain,pg_prewarm,passwordcheck")
            .setting("pg_stat_statements.track", "all")
            .setting("auto_explain.log_min_duration", "10s")
            .setting("pg_prewarm.autoprewarm", "on")
            .built(
                "create extension pg_stat_statements",
                "create extension pg_prewarm",
                "select pg_prewarm('zoo_common')",
                "select autoprewarm_dump_now()"),
        Animal.named("synchronous", "`synchronous_standby_names` that match nobody, not waited for")
            .setting("synchronous_standby_names", "FIRST 1 (nobody)")
            .setting("synchronous_commit", "local"),
        Animal.named("shut-and-opened", "the primary restarts and crashes while it is followed")
            .attached(habitat -> {
              habitat.primary().restart();
              habitat.execute("insert into zoo_common(t) values ('after the restart')");
              habitat.primary().stopImmediately();
              habitat.primary().start();
              habitat.execute("insert into zoo_common(t) values ('after the crash')");
            }));
  }

  private static void restartWith(Habitat habitat, String setting) throws Exception {
    habitat.execute("alter system set " + setting);
    habitat.primary().restart();
  }

  private static void manyTransactions(Habitat habitat) throws Exception {
    habitat.execute(
        "do $$ begin for i in 1..3000 loop insert into zoo_common(t) values ('t'); commit; end loop; end $$",
        "create table if not exists stamps as select 1 a",
        "checkpoint");
  }
}
