package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.testkit.DdlRich;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Three shards that are fed what one whole timeline is fed: each page is on one of them and the
 * same there, and all the rest is the same on each.
 */
final class ShardedTimelineIT {
  private static final int SHARDS = 3;
  private static final int STRIPE = 4;

  @Test
  void togetherKeepWhatTheWholeKeeps(@TempDir Path directory) throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    Path tablespace = DdlRich.tablespaceDirectory();
    EngineOptions options = EngineOptions.defaults().withOpenLayer(1 << 20, Duration.ofMillis(200));
    try (CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        PostgresServer primary =
            PostgresServer.builder(17)
                .setting("full_page_writes", "off")
                .setting("wal_keep_size", "4GB")
                .start();
        Tenants tenants =
            new Tenants(store, directory.resolve("cache"), options, System::nanoTime)) {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      PrimaryFeed feed = new PrimaryFeed(primary);
      Timeline whole = tenants.attach(new TimelineName("acme", "whole"), 0);
      List<Timeline> shards = new ArrayList<>();
      for (int i = 0; i < SHARDS; i++) {
        Shard shard = new Shard(i, SHARDS, STRIPE);
        shards.add(tenants.attach(new TimelineName("acme", "main", shard), 0));
      }
      List<Timeline> all = new ArrayList<>(shards);
      all.add(whole);
      feed.importBackup(all, copy, () -> load.run(1, 5, done -> done >= 50));
      load.run(2, 7, done -> done >= 300);
      DdlRich.run(primary, tablespace);
      for (Timeline timeline : all) {
        feed.catchUp(timeline);
      }
      long lsn =
          whole
              .boundaryAt(all.stream().mapToLong(Timeline::receivedLsn).min().orElseThrow())
              .endLsn();
      int[] kept = new int[SHARDS];
      for (ClusterView.Directory each : whole.view(lsn).directories()) {
        compare(whole, shards, each, lsn, kept);
      }
      for (int pages : kept) {
        assertTrue(pages > 500, () -> kept[0] + " " + kept[1] + " " + kept[2]);
      }
    } finally {
      PostgresServer.deleteTree(copy);
      PostgresServer.deleteTree(tablespace);
    }
  }

  private static void compare(
      Timeline whole,
      List<Timeline> shards,
      ClusterView.Directory directory,
      long lsn,
      int[] kept) {
    List<RelationEntry> relations =
        whole.listRelations(directory.tablespaceOid(), directory.databaseOid(), lsn);
    for (Timeline shard : shards) {
      assertEquals(
          relations, shard.listRelations(directory.tablespaceOid(), directory.databaseOid(), lsn));
    }
    byte[] expected = new byte[Page.SIZE];
    byte[] actual = new byte[Page.SIZE];
    for (RelationEntry entry : relations) {
      RelFileLocator locator =
          new RelFileLocator(
              directory.tablespaceOid(), directory.databaseOid(), entry.relationNumber());
      int fork = entry.sourceFork();
      for (int block = 0; block < entry.blocks(); block++) {
        whole.readPages(locator, fork, block, 1, lsn, expected);
        int owner =
            shards
                .getFirst()
                .shard()
                .indexOf(directory.databaseOid(), entry.relationNumber(), fork, block);
        shards.get(owner).readPages(locator, fork, block, 1, lsn, actual);
        assertArrayEquals(expected, actual, locator + " fork " + fork + " block " + block);
        kept[owner]++;
        Timeline other = shards.get((owner + 1) % shards.size());
        int wanted = block;
        assertThrows(
            PageserverException.NotHere.class,
            () -> other.readPages(locator, fork, wanted, 1, lsn, new byte[Page.SIZE]));
      }
    }
  }
}
