package dev.varve.engine.tenant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.FormatExample;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

final class StoredLayoutTest {
  private static final TimelineId UID = TimelineId.of(1, 2);
  private static final String PREFIX = "tenants/acme/timelines/" + UID + "/";
  private static final TimelineLocation WHOLE = TimelineLocation.whole("acme", UID);

  private final MemoryObjectStore store = new MemoryObjectStore();
  private final StoredTimelines timelines =
      new StoredTimelines(store, new Random(1), InstantSource.system());

  private static TimelineLocation shard(int index, int count, int stripe) {
    return new TimelineLocation("acme", UID, new Shard(index, count, stripe));
  }

  private void refuses(TimelineLocation id) {
    List<String> before = names();
    assertThrows(PageserverException.LayoutDiffers.class, () -> StoredLayout.require(store, id));
    assertThrows(PageserverException.LayoutDiffers.class, () -> StoredLayout.claim(store, id));
    assertThrows(PageserverException.LayoutDiffers.class, () -> timelines.remove(id));
    assertEquals(before, names());
  }

  private List<String> names() {
    return store.list("").stream().map(ObjectEntry::name).toList();
  }

  @Test
  void theFirstShardDecides() throws IOException {
    StoredLayout.require(store, shard(0, 2, 2048));
    assertTrue(names().isEmpty(), "looking writes nothing");
    StoredLayout.claim(store, shard(1, 2, 2048));
    StoredLayout.claim(store, shard(0, 2, 2048));
    StoredLayout.claim(store, shard(1, 2, 2048));
    refuses(WHOLE);
    refuses(shard(0, 3, 2048));
    refuses(shard(0, 2, 1024));
    assertEquals(List.of(PREFIX + "layout"), names());
    StoredLayout.claim(store, TimelineLocation.whole("acme", TimelineId.of(1, 3)));
  }

  /** A stripe is of no effect without shards. */
  @Test
  void wholeIsWholeWhateverItsStripe() throws IOException {
    StoredLayout.claim(store, WHOLE);
    StoredLayout.claim(store, shard(0, 1, 16));
    refuses(shard(0, 2, 2048));
  }

  @Test
  void withoutTheRecordTheNamesTell() throws IOException {
    store.put(PREFIX + "manifest/1", new byte[1]);
    refuses(shard(0, 2, 2048));
    StoredLayout.claim(store, WHOLE);

    store.delete(PREFIX + "manifest/1");
    store.delete(PREFIX + "layout");
    store.put(PREFIX + "shards/1-of-2-by-2048/manifest/1", new byte[1]);
    refuses(WHOLE);
    refuses(shard(1, 2, 1024));
    StoredLayout.claim(store, shard(0, 2, 2048));
    refuses(WHOLE);

    store.delete(PREFIX + "layout");
    store.put(PREFIX + "shards/strange", new byte[1]);
    assertThrows(
        PageserverException.Corrupt.class, () -> StoredLayout.claim(store, shard(0, 2, 2048)));
  }

  @Test
  void theLastShardTakesTheRecordAway() throws IOException {
    for (int i = 0; i < 2; i++) {
      StoredLayout.claim(store, shard(i, 2, 2048));
      store.put(shard(i, 2, 2048).objectPrefix() + "manifest/1", new byte[1]);
    }
    timelines.remove(shard(0, 2, 2048));
    assertEquals(2, names().size());
    refuses(WHOLE);
    timelines.remove(shard(1, 2, 2048));
    assertTrue(names().isEmpty());
    timelines.remove(shard(1, 2, 2048));

    StoredLayout.claim(store, WHOLE);
    store.put(PREFIX + "manifest/1", new byte[1]);
    timelines.remove(WHOLE);
    assertTrue(names().isEmpty());
  }

  @Test
  void ofTwoAtOnceOneWins() throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
      List<Future<Integer>> claims = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        int count = 1 + i % 2;
        claims.add(
            threads.submit(() -> {
              StoredLayout.claim(store, shard(0, count, 2048));
              return count;
            }));
      }
      List<Integer> won = new ArrayList<>();
      for (Future<Integer> claim : claims) {
        try {
          won.add(claim.get());
        } catch (ExecutionException e) {
          assertEquals(PageserverException.LayoutDiffers.class, e.getCause().getClass());
        }
      }
      assertEquals(32, won.size());
      assertEquals(1, won.stream().distinct().count());
    }
  }

  @Test
  void documentHasTheseBytes() {
    StoredLayout layout = StoredLayout.of(new Shard(1, 2, 2048));
    byte[] bytes = FormatExample.read("sharding.md", "layout");
    assertArrayEquals(layout.encode(), bytes);
    assertEquals(layout, StoredLayout.decode("layout", bytes));
    for (int i = 0; i < bytes.length; i++) {
      byte[] damaged = bytes.clone();
      damaged[i] ^= 1;
      assertThrows(PageserverException.Corrupt.class, () -> StoredLayout.decode("layout", damaged));
    }
    assertThrows(
        PageserverException.Corrupt.class, () -> StoredLayout.decode("layout", new byte[3]));
  }
}
