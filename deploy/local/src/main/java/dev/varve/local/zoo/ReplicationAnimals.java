package dev.varve.local.zoo;

import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Publishers, subscribers, origins, and standbys as sources. */
final class ReplicationAnimals {
  private ReplicationAnimals() {}

  static List<Animal> all() {
    return List.of(
        Animal.named("subscriber", "a subscriber whose publisher goes on")
            .built(habitat -> subscribe(habitat, "copy_data = true"))
            .computed(ReplicationAnimals::leavesThePublisherAlone),
        Animal.named(
                "subscriber-two-phase",
                "a subscription with two-phase, streaming and several tables")
            .setting("max_prepared_transactions", "20")
            .built(
                habitat -> subscribe(habitat, "two_phase = true, streaming = true, origin = none"))
            .on(major -> major >= 16)
            .computed(ReplicationAnimals::leavesThePublisherAlone),
        Animal.named("origins", "30 replication origins, with positions")
            .setting("max_replication_slots", "60")
            .configured(habitat -> {
              if (habitat.major() >= 18) {
                Files.writeString(
                    habitat.primary().dataDirectory().resolve("postgresql.conf"),
                    "max_active_replication_origins = 60\n",
                    StandardOpenOption.APPEND);
              }
            })
            .built(habitat -> {
              List<String> statements = new ArrayList<>();
              for (int i = 0; i < 30; i++) {
                statements.add("select pg_replication_origin_create('o" + i + "')");
                if (i % 3 != 0) {
                  statements.add(
                      "select pg_replication_origin_advance('o" + i + "', '0/" + (1000 + i) + "')");
                }
              }
              habitat.execute(statements.toArray(String[]::new));
            })
            .attached(
                "select pg_replication_origin_session_setup('o3'), pg_replication_origin_xact_setup('0/ABCD', now()); insert into zoo_common(t) values ('origin')",
                "select pg_replication_origin_drop('o5')",
                "select pg_replication_origin_advance('o4', '0/FFFF')"),
        Animal.named(
                "subscriptions-idle",
                "subscriptions that are disabled, without slots, wider than a page, in many databases")
            .setting("wal_level", "logical")
            .built(ReplicationAnimals::subscribeIdly)
            .attached("alter subscription short rename to shorter", "vacuum full pg_subscription")
            .computed(habitat -> {
              PostgresServer compute = habitat.compute();
              for (String database : List.of("postgres", "d0", "d1", "d2")) {
                for (String name :
                    compute.column(
                        database,
                        "select quote_ident(subname) from pg_subscription s"
                            + " join pg_database d on d.oid = subdbid"
                            + " where datname = current_database()")) {
                  compute.execute(database, "drop subscription " + name);
                }
              }
            }),
        Animal.named("replicator", "attached by a role that may replicate and nothing else")
            .replicator("only replicates")
            .built(
                "create role \"only replicates\" login replication connection limit 4",
                "alter role \"only replicates\" set timezone = 'Asia/Tokyo'",
                "alter role \"only replicates\" set statement_timeout = '1ms'",
                "alter role \"only replicates\" set search_path = nowhere",
                "alter database postgres set datestyle = 'German'")
            .setting("timezone", "Europe/Vienna")
            .setting("shared_preload_libraries", "pg_stat_statements"),
        Animal.named("synchronized-slots", "attached to a standby that synchronises failover slots")
            .on(major -> major >= 17)
            .setting("wal_level", "logical")
            .built(habitat -> {
              habitat.execute(
                  "select pg_create_physical_replication_slot('of_standby')",
                  "select pg_create_logical_replication_slot('moving', 'pgoutput', false, false, true)");
              PostgresServer standby =
                  habitat.standbyOf(
                      habitat.primary(),
                      Map.of(
                          "primary_slot_name", "of_standby",
                          "hot_standby_feedback", "on",
                          "sync_replication_slots", "on"));
              habitat.follower(standby);
              Habitat.await(
                  standby,
                  "select count(*) = 1 from pg_replication_slots where slot_name = 'moving'",
                  "the slot is synchronised");
            })
            .attached(
                "alter system set synchronized_standby_slots = 'of_standby'",
                "select pg_reload_conf()"),
        Animal.named("standby", "attached to a standby")
            .built(habitat -> habitat.follower(habitat.standbyOf(habitat.primary()))));
  }

  private static void subscribeIdly(Habitat habitat) throws Exception {
    String idle = " publication p with (connect = false, slot_name = none, enabled = false)";
    habitat.execute(
        "create subscription short connection 'host=a'" + idle,
        "do $$ begin execute 'create subscription long connection ''host=127.0.0.1 port=1"
            + " application_name=' || (select string_agg(md5(i::text), '')"
            + " from generate_series(1, 300) i) || '''"
            + idle
            + "'; end $$",
        "do $$ begin execute 'create subscription many connection ''host=a'' publication '"
            + " || (select string_agg('p' || md5(i::text), ',') from generate_series(1, 400) i)"
            + " || ' with (connect = false, slot_name = none, enabled = false)'; end $$",
        "do $$ begin execute 'create subscription \"Grö \"\"ße'' \" connection ''host='"
            + " || repeat('x', 5000) || '''"
            + idle
            + "'; end $$",
        "create subscription slotted connection 'host=127.0.0.1 port=1' publication p"
            + " with (connect = false, slot_name = 'far', binary = true, streaming = on)");
    for (int i = 0; i < 3; i++) {
      habitat.execute("create database d" + i);
      habitat.executeIn(
          "d" + i, "create subscription s" + i + " connection 'host=127.0.0.1 port=1'" + idle);
    }
    habitat.executeIn(
        "d1",
        "alter subscription s1 skip (lsn = '0/1234')",
        "alter subscription s1 set (slot_name = 'x')",
        "comment on subscription s1 is 'x'");
    habitat.execute("alter database d2 connection limit 0");
    if (habitat.major() >= 17) {
      habitat.execute(
          "create subscription failing connection 'host=127.0.0.1 port=1' publication p"
              + " with (connect = false, slot_name = 'f', failover = true, run_as_owner = true,"
              + " origin = none, password_required = false)");
    }
  }

  private static void subscribe(Habitat habitat, String options) throws Exception {
    PostgresServer publisher =
        PostgresServer.builder(habitat.major())
            .setting("wal_level", "logical")
            .setting("max_prepared_transactions", "20")
            .port(FreePort.reserved())
            .start();
    habitat.publisher(publisher);
    publisher.execute(
        "postgres",
        "create table pub(i int primary key, t text)",
        "insert into pub select i, 't' from generate_series(1, 1000) i",
        "create publication p for table pub");
    habitat.execute(
        "create table pub(i int primary key, t text)",
        "create subscription s connection 'host=127.0.0.1 user=postgres port="
            + publisher.port()
            + "' publication p with ("
            + options
            + ")");
    Habitat.await(
        habitat.primary(), "select count(*) = 1000 from pub", "the subscriber has the first copy");
    Habitat.await(
        habitat.primary(),
        "select bool_and(srsubstate = 'r') from pg_subscription_rel",
        "the tables are synchronised");
    publisher.execute(
        "postgres", "insert into pub select i, 'later' from generate_series(1001, 1500) i");
    Habitat.await(
        habitat.primary(), "select count(*) = 1500 from pub", "the subscriber has what came later");
  }

  /** A copy takes nothing from the publisher, and can drop its subscription without a trace. */
  private static void leavesThePublisherAlone(Habitat habitat) throws Exception {
    PostgresServer publisher = habitat.publisher();
    publisher.execute(
        "postgres", "insert into pub select i, 'while copied' from generate_series(1501, 2000) i");
    Habitat.await(
        habitat.primary(), "select count(*) = 2000 from pub", "the subscriber has its rows");
    PostgresServer compute = habitat.compute();
    String copied = compute.query("postgres", "select count(*) from pub");
    if (!copied.equals("1500")) {
      throw new IllegalStateException("the copy's subscription is at work: " + copied + " rows");
    }
    compute.execute("postgres", "drop subscription s");
    String slots =
        publisher.query(
            "postgres",
            "select count(*) from pg_replication_slots where slot_name = 's' and active");
    if (!slots.equals("1")) {
      throw new IllegalStateException("the publisher's slot is gone or idle");
    }
  }
}
