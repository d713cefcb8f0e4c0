package dev.varve.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.Amcheck;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.RootMount;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.util.List;
import java.util.SortedMap;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * The pageserver is killed twenty times at random while it takes in WAL, every other time with its
 * disk wiped; in the end a compute on it has the primary's data.
 */
final class PageserverCrashIT {
  private static final int KILLS = 20;

  @Test
  @EnabledIf(value = RootMount.CHECK, disabledReason = RootMount.NEEDS)
  void losesNothing() throws Exception {
    long seed = Long.getLong("varve.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    Pageservers pageservers = Pageservers.create();
    PostgresServer primary = PostgresServer.builder(17).start();
    PageserverProcess pageserver = pageservers.start();
    try {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      pageserver.attach(primary.port());
      pageserver.awaitAttached();
      AtomicBoolean enough = new AtomicBoolean();
      Thread writer =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  load.run(1, 1, done -> enough.get());
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
      for (int kill = 0; kill < KILLS; kill++) {
        Thread.sleep(random.nextInt(50, 700));
        pageserver.kill();
        boolean wipe = kill % 2 == 0;
        if (wipe) {
          pageservers.wipe();
        }
        pageserver = pageservers.start();
        if (wipe) {
          pageserver.attach(primary.port());
        }
        pageserver.awaitAttached();
      }
      enough.set(true);
      writer.join();
      SortedMap<String, String> expected = TableHashes.of(primary);
      long lsn = LocalRun.lsn(primary);
      pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsn);
      ComputeProcess compute = pageservers.compute(17, lsn, "compute");
      try {
        compute.awaitQuery("select 1");
        assertEquals(expected, TableHashes.of(compute.server()), "seed " + seed);
        assertEquals(List.of(), Amcheck.complaints(compute.server()), "seed " + seed);
      } finally {
        compute.stop();
      }
      assertTrue(pageserver.status().getGeneration() > KILLS, "each start attached anew");
    } finally {
      pageserver.stop();
      primary.close();
      pageservers.delete();
    }
  }
}
