package dev.varve.engine.tenant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A timeline whose objects do not come, beside others. */
final class TenantsTest {
  private static final TimelineName SLOW = new TimelineName("t", "slow");
  private static final TimelineId UID = TimelineId.of(1, 1);

  @TempDir Path directory;
  private final MemoryObjectStore memory = new MemoryObjectStore();
  private final CountDownLatch asked = new CountDownLatch(1);

  /** Listings of one timeline come never; whoever waits ends with its deadline. */
  private ObjectStore neverLists(String timeline) {
    return new ForwardingObjectStore(memory) {
      @Override
      public List<ObjectEntry> list(String prefix) throws IOException {
        if (prefix.contains(timeline)) {
          asked.countDown();
          while (!StoreDeadline.current().isOver()) {
            Thread.onSpinWait();
          }
          throw new IOException("the caller waits no longer");
        }
        return super.list(prefix);
      }
    };
  }

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireClean(memory);
  }

  private Tenants tenants(ObjectStore store) {
    return new Tenants(store, directory, EngineOptions.defaults(), System::nanoTime);
  }

  @Test
  void oneThatCannotBeLoadedHoldsUpNoOther() throws Exception {
    try (Tenants tenants = tenants(neverLists(UID.text()))) {
      AtomicReference<Throwable> ended = new AtomicReference<>();
      Thread attaching =
          Thread.ofPlatform()
              .start(() ->
                  ended.set(
                      assertThrows(
                          PageserverException.Unavailable.class,
                          () -> tenants.attach(SLOW, UID, 0))));
      asked.await();
      for (int i = 0; i < 100; i++) {
        assertTrue(tenants.attach(new TimelineName("t", "other-" + i), 0).isEmpty());
      }
      assertThrows(PageserverException.InvalidRequest.class, () -> tenants.attach(SLOW, UID, 0));
      // Whoever detaches it does not wait for its objects either.
      tenants.detach(SLOW);
      attaching.join();
      assertTrue(String.valueOf(ended.get()).contains("the caller waits no longer"));
      assertNull(tenants.find(SLOW));
      assertEquals(100, tenants.list().size());
    }
  }

  @Test
  void anAttachEndsWithItsCallersDeadline() throws Exception {
    try (Tenants tenants = tenants(neverLists(UID.text()))) {
      StoreDeadline.after(Duration.ofMillis(50))
          .run(() ->
              assertThrows(
                  PageserverException.Unavailable.class, () -> tenants.attach(SLOW, UID, 0)));
      assertNull(tenants.find(SLOW));
    }
    try (Tenants tenants = tenants(memory)) {
      assertTrue(tenants.attach(SLOW, UID, 0).isEmpty());
    }
  }
}
