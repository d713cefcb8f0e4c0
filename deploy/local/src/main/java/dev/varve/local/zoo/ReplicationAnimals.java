package dev.varve.local.zoo;

import dev.varve.testkit.FreePort;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

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
        Animal.named("standby", "attached to a standby")
            .built(habitat -> habitat.follower(habitat.standbyOf(habitat.primary()))));
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
