package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a timeline's layers make of an object store in trouble. */
final class TimelineLayersTest {
  private static final String PREFIX = "tenants/t/timelines/m/";
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(4711, PostgresMajor.V17, 16 << 20);

  @TempDir Path directory;

  private TimelineLayers attach(ObjectStore store) {
    return TimelineLayers.attach(
        store, PREFIX, directory, new BlockCache(1 << 20), 0, EngineOptions.defaults());
  }

  @Test
  void aManifestWhoseAnswerIsLostIsNotTakenForAnotherOwners() throws IOException {
    MemoryObjectStore memory = new MemoryObjectStore();
    ObjectStore losesTheSecondManifest =
        new ForwardingObjectStore(memory) {
          private int left = 2;

          @Override
          public void create(String name, byte[] bytes) throws IOException {
            super.create(name, bytes);
            if (--left == 0) {
              throw new IOException("the answer was lost");
            }
          }
        };
    ExpectedLog.containing("m/manifest 2 is tried again");
    try (TimelineLayers layers = attach(losesTheSecondManifest)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      assertEquals(2, layers.manifest().number());
      assertEquals(layers.manifest(), new ManifestStore(memory, PREFIX, 9).load());
      assertEquals(1, layers.trouble().errors());
    }
  }

  @Test
  void aTimelineThatStopsDoesNotWaitForTheStore() throws IOException {
    ObjectStore failsAfterTheClaim =
        new ForwardingObjectStore(new MemoryObjectStore()) {
          private boolean claimed;

          @Override
          public void create(String name, byte[] bytes) throws IOException {
            if (claimed) {
              throw new IOException("the store does not answer");
            }
            claimed = true;
            super.create(name, bytes);
          }
        };
    ExpectedLog.containing("m/manifest 2 is tried again");
    try (TimelineLayers layers = attach(failsAfterTheClaim)) {
      layers.stopCommitting();
      assertThrows(IOException.class, () -> layers.commitImport(IDENTITY, 0x1000, List.of()));
      assertEquals(1, layers.manifest().number());
    }
  }
}
