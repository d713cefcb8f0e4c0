package dev.varve.local;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.varve.testkit.Amcheck;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.util.List;
import java.util.SortedMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * A timeline on two pageservers, each with its stripes: a compute reads from both, and a scan rides
 * through the loss of one of them, disk and all.
 */
final class ShardedDatabaseIT {
  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void readsFromBothShardsAndWaitsForALostOne() throws Exception {
    List<Pageservers> shards = Pageservers.twoShards(16);
    PostgresServer primary = PostgresServer.builder(17).setting("autovacuum", "off").start();
    PageserverProcess first = shards.get(0).start();
    PageserverProcess second = shards.get(1).start();
    try {
      TpcB load = new TpcB(primary, 2);
      load.initialize();
      for (PageserverProcess each : List.of(first, second)) {
        each.attach(primary.port());
        each.awaitAttached();
      }
      load.run(2, 1, done -> done >= 500);
      SortedMap<String, String> expected = TableHashes.of(primary);
      long lsn = LocalRun.lsn(primary);
      for (PageserverProcess each : List.of(first, second)) {
        each.awaitStatus("publishing", status -> status.getPublishedLsn() >= lsn);
      }
      ComputeProcess compute = shards.get(0).compute(17, lsn, "compute");
      try {
        compute.awaitQuery("select 1");
        second.kill();
        shards.get(1).wipe();
        CompletableFuture<SortedMap<String, String>> actual =
            CompletableFuture.supplyAsync(() -> {
              try {
                return TableHashes.of(compute.server());
              } catch (java.sql.SQLException e) {
                throw new IllegalStateException(e);
              }
            });
        second = shards.get(1).start();
        second.attach(primary.port());
        second.awaitAttached();
        assertEquals(expected, actual.get());
        assertEquals(List.of(), Amcheck.complaints(compute.server()));
      } finally {
        compute.stop();
      }
    } finally {
      first.stop();
      second.stop();
      primary.close();
      shards.getFirst().delete();
    }
  }
}
