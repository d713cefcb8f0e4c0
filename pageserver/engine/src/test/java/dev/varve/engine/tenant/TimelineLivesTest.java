package dev.varve.engine.tenant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.FormatExample;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.timeline.Timeline;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Timelines that had the same name one after the other, and their ends. */
final class TimelineLivesTest {
  private static final TimelineName NAME = new TimelineName("acme", "orders");

  @TempDir Path directory;
  @TempDir Path otherDirectory;
  private final MemoryObjectStore memory = new MemoryObjectStore();

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireClean(memory);
  }

  private Tenants tenants(ObjectStore store) {
    return new Tenants(store, directory, EngineOptions.defaults(), System::nanoTime);
  }

  private List<String> names() {
    return memory.list("").stream().map(ObjectEntry::name).toList();
  }

  private static TimelineId uid(Tenants tenants) {
    return Objects.requireNonNull(tenants.resolve(NAME));
  }

  @Test
  void aNameThatIsGivenAnewLeadsToAnotherTimeline() {
    try (Tenants tenants = tenants(memory)) {
      assertNull(tenants.resolve(NAME));
      assertTrue(tenants.attach(NAME, 0).isEmpty());
      TimelineId first = uid(tenants);
      tenants.detach(NAME);
      assertEquals(2, tenants.attach(NAME, 0).generation(), "the name leads to the same one");
      assertEquals(first, uid(tenants));
      tenants.detach(NAME);
      tenants.deleteObjects(NAME, first);
      assertEquals(List.of(), names());

      assertEquals(1, tenants.attach(NAME, 0).generation(), "nothing is left of the first");
      assertNotEquals(first, uid(tenants));
      assertEquals(List.of(), names().stream().filter(n -> n.contains(first.text())).toList());
    }
  }

  /** Retained, and its name given to another: as an operator does that keeps the ids itself. */
  @Test
  void twoLivesOfOneNameShareNothing() {
    TimelineId old = TimelineId.of(1, 1);
    TimelineId young = TimelineId.of(2, 2);
    try (Tenants tenants = tenants(memory)) {
      assertEquals(7, tenants.attach(NAME, old, 7).generation());
      tenants.detach(NAME);
      tenants.retain(NAME, old);
      List<String> retained = names();
      assertEquals(0, tenants.storedGeneration(NAME, young));
      assertEquals(1, tenants.attach(NAME, young, 1).generation());
      assertEquals(7, tenants.storedGeneration(NAME, old));
      assertTrue(names().containsAll(retained));
      assertEquals(
          List.of(old),
          tenants.stored("acme", Set.of(young)).stream().map(StoredTimeline::uid).toList());

      tenants.detach(NAME);
      tenants.deleteObjects(NAME, young);
      assertEquals(retained, names(), "the end of one is not the other's");
      assertEquals(8, tenants.attach(NAME, old, 8).generation(), "adopted");
    }
  }

  /** One that slept through the deletion of its timeline, and through the birth of the next. */
  @Test
  void aZombieWritesWhereNobodyReads() throws IOException {
    try (Tenants zombie = tenants(memory);
        Tenants other =
            new Tenants(memory, otherDirectory, EngineOptions.defaults(), System::nanoTime)) {
      Timeline _ = zombie.attach(NAME, 0);
      TimelineId first = uid(zombie);
      other.deleteObjects(NAME, first);
      Timeline _ = other.attach(NAME, 0);
      TimelineId second = uid(other);
      List<String> before = names().stream().filter(name -> !name.contains(first.text())).toList();

      // It goes on as if nothing were: a layer, and an attachment of its own.
      memory.put(TimelineLocation.of(NAME, first).objectPrefix() + "late", new byte[1]);
      zombie.detach(NAME);
      assertEquals(1, zombie.attach(NAME, first, 0).generation());
      assertEquals(before, names().stream().filter(name -> !name.contains(first.text())).toList());
      assertEquals(second, uid(other), "the name does not lead there");
      zombie.detach(NAME);
      zombie.deleteObjects(NAME, first);
      assertEquals(before, names());
      assertEquals(1, other.storedGeneration(NAME, second));
    }
  }

  /** Whatever request of a removal is the last, no manifest lists what is gone, to be attached. */
  @Test
  void aRemovalThatEndsHalfwayLeavesNothingThatIsServed() throws IOException {
    for (int requests = 0; ; requests++) {
      memory.list("").forEach(entry -> memory.delete(entry.name()));
      try (Tenants whole = tenants(memory)) {
        for (int generation = 1; generation < 12; generation++) {
          assertEquals(generation, whole.attach(NAME, 0).generation());
          whole.detach(NAME);
        }
        TimelineId uid = uid(whole);
        TimelineLocation location = TimelineLocation.of(NAME, uid);
        memory.put(location.objectPrefix() + "a-layer", new byte[1]);
        try (Tenants dies = tenants(endsAfter(requests))) {
          dies.deleteObjects(NAME, uid);
          assertEquals(List.of(), names());
          return;
        } catch (PageserverException.Unavailable e) {
          boolean isWhole = names().contains(location.objectPrefix() + "a-layer");
          boolean isListed = !memory.list(location.manifests()).isEmpty();
          assertTrue(isWhole || !isListed, "after " + requests + " requests: " + names());
          if (requests > 0 && isListed) {
            assertEquals(
                11, new ManifestStore(memory, location.objectPrefix(), 0).load().generation());
          }
        }
        if (requests > 0 && memory.list(location.label()).size() == 1) {
          assertThrows(PageserverException.NotFound.class, () -> whole.attach(NAME, uid, 0));
        }
        whole.deleteObjects(NAME, uid);
        assertEquals(List.of(), names(), "a removal is repeated");
      }
    }
  }

  private ObjectStore endsAfter(int requests) {
    return new ForwardingObjectStore(memory) {
      private int left = requests;

      private void request() throws IOException {
        if (left-- <= 0) {
          throw new IOException("the pageserver died");
        }
      }

      @Override
      public void put(String name, byte[] bytes) throws IOException {
        request();
        super.put(name, bytes);
      }

      @Override
      public void delete(String name) throws IOException {
        request();
        super.delete(name);
      }
    };
  }

  @Test
  void oneTimelineHasOneNameOnAPageserver() {
    TimelineId uid = TimelineId.of(3, 3);
    try (Tenants tenants = tenants(memory)) {
      Timeline _ = tenants.attach(NAME, uid, 1);
      TimelineName other = new TimelineName("acme", "other");
      PageserverException.InvalidRequest refused =
          assertThrows(
              PageserverException.InvalidRequest.class, () -> tenants.attach(other, uid, 2));
      assertTrue(String.valueOf(refused.getMessage()).contains("acme/orders"));
      tenants.detach(NAME);
      assertEquals(2, tenants.attach(other, uid, 2).generation());
      assertEquals("other", tenants.stored("acme", Set.of()).getFirst().name());
      tenants.detach(other);
      assertTrue(tenants.attach(other, 0).isEmpty(), "who keeps ids makes no name");
      assertNotEquals(uid, tenants.resolve(other));
    }
  }

  @Test
  void aTimelineThatGetsAnotherNameLosesItsOwn() {
    TimelineName other = new TimelineName("acme", "other");
    try (Tenants tenants = tenants(memory)) {
      assertTrue(tenants.attach(NAME, 0).isEmpty());
      TimelineId uid = uid(tenants);
      tenants.detach(NAME);
      assertEquals(uid, tenants.claimName(other, uid));
      assertEquals(2, tenants.attach(other, uid, 0).generation());
      assertNull(tenants.resolve(NAME));
    }
  }

  @Test
  void theLabelsAreTheListOfWhatThereIs() throws IOException {
    StoredTimelines stored =
        new StoredTimelines(
            memory, new Random(1), InstantSource.fixed(Instant.ofEpochSecond(1_800_000_000)));
    TimelineId uid = TimelineId.of(4, 4);
    for (int i = 0; i < 2; i++) {
      TimelineLocation shard = new TimelineLocation("acme", uid, new Shard(i, 2, 2048));
      stored.claim(shard, "orders");
      assertEquals(1, new ManifestStore(memory, shard.objectPrefix(), i).claim(0).generation());
    }
    stored.retain(TimelineLocation.whole("acme", uid));
    StoredTimeline one = stored.list("acme", Set.of()).getFirst();
    assertEquals("orders", one.name());
    assertEquals(1_800_000_000, one.retainedSinceSeconds());
    assertEquals(2, one.shards());
    assertEquals(2048, one.stripeBlocks());
    assertFalse(one.isDeleted());
    assertEquals(List.of(), stored.list("acme", Set.of(uid)));
    assertEquals(List.of(), stored.list("acm", Set.of()));

    stored.remove(new TimelineLocation("acme", uid, new Shard(1, 2, 2048)));
    assertTrue(stored.list("acme", Set.of()).getFirst().isDeleted());
    stored.remove(new TimelineLocation("acme", uid, new Shard(0, 2, 2048)));
    assertEquals(List.of(), names());
  }

  @Test
  void documentHasTheseBytes() {
    TimelineId uid = new TimelineId("0f8b6a0e3c554d5f9d3c2a1b00c0ffee");
    assertEquals(uid, TimelineId.of(uid.high(), uid.low()));
    assertArrayEquals(new StoredName(uid).encode(), FormatExample.read("timeline.md", "name"));
    assertEquals(uid, StoredName.decode("n", new StoredName(uid).encode()).uid());
    TimelineLabel label = new TimelineLabel(TimelineLabel.State.RETAINED, "orders", 1_800_000_000);
    byte[] bytes = FormatExample.read("timeline.md", "label");
    assertArrayEquals(label.encode(), bytes);
    assertEquals(label, TimelineLabel.decode("l", bytes));
    for (int i = 0; i < bytes.length; i++) {
      byte[] damaged = bytes.clone();
      damaged[i] ^= 1;
      assertThrows(PageserverException.Corrupt.class, () -> TimelineLabel.decode("l", damaged));
    }
    for (String wrong : List.of("", "0F8B6A0E3C554D5F9D3C2A1B00C0FFEE", "../orders", "0f8b")) {
      assertThrows(PageserverException.InvalidRequest.class, () -> new TimelineId(wrong));
    }
  }
}
