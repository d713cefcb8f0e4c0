package dev.varve.local.zoo;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Statement;
import java.util.List;

/** What a server is made to do beside queries: limits, libraries, slots, prepared transactions. */
final class ServerAnimals {
  /** As long as one may be, in bytes, with its quote doubled. */
  private static final String GID = "it''s \"ünï\" " + "g".repeat(180);

  private ServerAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("timeouts", "every time limit of sessions, WAL senders and connections, short")
            .setting("idle_session_timeout", "500ms")
            .setting("idle_in_transaction_session_timeout", "500ms")
            .setting("statement_timeout", "30s")
            .setting("lock_timeout", "1s")
            .setting("wal_sender_timeout", "1s")
            .setting("client_connection_check_interval", "1s")
            .setting("tcp_user_timeout", "1s")
            .setting("authentication_timeout", "5s")
            .attached("select pg_sleep(4)"),
        Animal.named("machine", "what a large machine allows: memory, connections, workers")
            .setting("shared_buffers", "4GB")
            .setting("max_connections", "10000")
            .setting("max_worker_processes", "500")
            .setting("autovacuum_max_workers", "50")
            .setting("wal_buffers", "256MB")
            .setting("temp_buffers", "1GB")
            .setting("work_mem", "8GB")
            .setting("maintenance_work_mem", "16GB")
            .setting("effective_cache_size", "1TB")
            .setting("max_files_per_process", "100000")
            .setting("effective_io_concurrency", "0")
            .setting("max_wal_size", "1TB")
            .setting("data_sync_retry", "on")
            .setting("huge_pages", "try"),
        Animal.named(
                "libraries", "libraries of every kind and from elsewhere, leftovers of a restore")
            .configured(habitat -> {
              Path place = habitat.directory("li braries");
              Path library = place.resolve("of the house.so");
              Files.copy(
                  habitat
                      .primary()
                      .binDirectory()
                      .resolveSibling("lib/postgresql/passwordcheck.so"),
                  library);
              Habitat.append(
                  habitat.primary().dataDirectory().resolve("postgresql.conf"),
                  """
                  shared_preload_libraries = '"%1$s/of the house.so", pg_stat_statements'
                  session_preload_libraries = 'auto_explain'
                  jit_provider = 'none of this name'
                  dynamic_library_path = '%1$s:$libdir'
                  archive_mode = on
                  archive_library = 'basic_archive'
                  basic_archive.archive_directory = '%2$s'
                  auto_explain.log_min_duration = 1h
                  my.own = 'it''s'
                  restore_command = 'false'
                  archive_cleanup_command = 'false'
                  recovery_end_command = 'false'
                  primary_slot_name = 'gone'
                  primary_conninfo = 'host=nowhere password=secret'
                  hot_standby = off
                  """
                      .formatted(place, habitat.directory("archive")));
            })
            .attached("select pg_switch_wal()"),
        Animal.named("slots", "slots of all kinds: kept, used, lost, temporary")
            .setting("wal_level", "logical")
            .setting("max_slot_wal_keep_size", "64MB")
            .setting("max_replication_slots", "6")
            .built(habitat -> {
              habitat.execute(
                  "select pg_create_physical_replication_slot('receivewal', true)",
                  "select pg_create_physical_replication_slot('never')",
                  "select pg_create_logical_replication_slot('lost', 'test_decoding')",
                  "select pg_create_logical_replication_slot('used', 'pgoutput', false, true)");
              Statement statement = habitat.openStatement();
              statement.execute(
                  "select pg_create_physical_replication_slot('temporary', true, true)");
            })
            .attached(
                "select pg_replication_slot_advance('receivewal', pg_current_wal_flush_lsn())")
            .computed(habitat -> {
              String pageservers = "varve_slots_" + habitat.major();
              habitat
                  .compute()
                  .execute(
                      "postgres",
                      "select pg_create_logical_replication_slot('used', 'pgoutput')",
                      "select pg_drop_replication_slot('used')",
                      "select pg_create_physical_replication_slot('" + pageservers + "')",
                      "select pg_drop_replication_slot('" + pageservers + "')");
            }),
        Animal.named("prepared-ddl", "prepared transactions that made, changed and dropped things")
            .setting("max_prepared_transactions", "50")
            .built(ServerAnimals::prepare)
            .attached(
                "commit prepared '" + gid(0) + "'",
                "commit prepared '" + gid(1) + "'",
                "commit prepared '" + gid(2) + "'",
                "checkpoint",
                "begin; create table later as select generate_series(1, 100) i;"
                    + " prepare transaction 'late'")
            .computed(habitat -> {
              habitat
                  .compute()
                  .execute(
                      "postgres",
                      "commit prepared '" + gid(3) + "'",
                      "insert into moods values ('a')",
                      "commit prepared '" + gid(4) + "'",
                      "rollback prepared '" + gid(5) + "'",
                      "commit prepared 'of a role'",
                      "commit prepared 'late'",
                      "select * from later",
                      "checkpoint");
              habitat.compute().execute("other", "commit prepared 'of other'", "select * from t");
            }),
        Animal.named("login-trigger", "an event trigger on login that refuses ordinary roles")
            .on(major -> major >= 17)
            .built(
                "create table logins(who text)",
                "create function check_login() returns event_trigger language plpgsql as"
                    + " $$ begin if not (select rolsuper from pg_roles where rolname = session_user)"
                    + " then raise exception 'not you'; end if; end $$",
                "create event trigger check_login on login execute function check_login()",
                "alter event trigger check_login enable always"));
  }

  private static String gid(int number) {
    return number + GID;
  }

  private static void prepare(Habitat habitat) throws Exception {
    habitat.execute(
        "create role owner_of_some",
        "create table dropped as select generate_series(1, 5000) i",
        "create table cut as select generate_series(1, 5000) i",
        "create table changed as select generate_series(1, 5000) i",
        "create table kept as select generate_series(1, 5000) i",
        "create database other");
    List<String> work =
        List.of(
            "drop table dropped",
            "truncate cut; insert into cut values (1)",
            "alter table changed alter i type bigint; create index on changed(i)",
            "create type mood as enum ('a'); create table moods(m mood);"
                + " insert into moods values ('a')",
            "set transaction isolation level serializable; select count(*) from kept;"
                + " insert into kept values (0)",
            "select pg_logical_emit_message(true, 'x', 'y'); create sequence counted;"
                + " select nextval('counted')");
    for (int i = 0; i < work.size(); i++) {
      habitat.execute("begin; " + work.get(i) + "; prepare transaction '" + gid(i) + "'");
    }
    habitat.executeIn(
        "other", "begin; create table t as select 1 a; prepare transaction 'of other'");
    habitat.execute(
        "set session authorization owner_of_some; begin; prepare transaction 'of a role'");
  }
}
