package dev.varve.engine.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.FaultyObjectStore;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Numbered manifests: who commits, who is fenced, and what damage does. */
final class ManifestStoreTest {
  private static final String PREFIX = TestOrigin.PREFIX;

  private static LayerDescriptor delta(long start, long end, int sequence) {
    return new LayerDescriptor(
        TestOrigin.ORIGIN, false, 0, 0, -1L, start, end, 1, sequence, 1000, 900, 10, end - 24);
  }

  private static Manifest imported(Manifest claimed) {
    return claimed.imported(PostgresMajor.V17, 4711, 16 << 20, 1000, 1, List.of());
  }

  @Test
  void theFirstManifestIsClaimed() throws IOException {
    ManifestStore store = new ManifestStore(new MemoryObjectStore(), PREFIX, 1);
    assertEquals(Manifest.NONE, store.load());
    Manifest claimed = store.claim(0);
    assertEquals(1, claimed.number());
    assertEquals(1, claimed.generation());
    assertEquals(claimed, store.load());
  }

  @Test
  void aCommittedManifestIsLoadedAgain() throws IOException {
    ManifestStore store = new ManifestStore(new MemoryObjectStore(), PREFIX, 1);
    Manifest manifest = imported(store.claim(0));
    store.commit(manifest);
    for (int i = 0; i < 20; i++) {
      long start = 1000 + i * 100L;
      manifest =
          manifest.published(
              List.of(delta(start, start + 100, i)), start + 100, start + 76, 1000, i + 1);
      store.commit(manifest);
    }
    assertEquals(manifest, store.load());
    assertEquals(20, store.load().layers().size());
  }

  @Test
  void theFormerOwnerIsFenced() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore first = new ManifestStore(objects, PREFIX, 1);
    Manifest mine = imported(first.claim(0));
    first.commit(mine);
    Manifest theirs = new ManifestStore(objects, PREFIX, 2).claim(0);
    assertEquals(2, theirs.generation());
    Manifest late = mine.published(List.of(delta(1000, 1100, 1)), 1100, 1076, 0, 2);
    assertThrows(PageserverException.Fenced.class, () -> first.commit(late));
    assertEquals(theirs, first.load());
  }

  @Test
  void aGenerationThatIsNotHigherIsRefused() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    new ManifestStore(objects, PREFIX, 1).claim(7);
    ManifestStore store = new ManifestStore(objects, PREFIX, 2);
    assertThrows(PageserverException.Fenced.class, () -> store.claim(7));
    assertEquals(8, store.claim(8).generation());
  }

  @Test
  void ofSixteenRacingOwnersOneWinsEachNumber() throws Exception {
    ObjectStore objects = new MemoryObjectStore();
    CountDownLatch start = new CountDownLatch(1);
    List<Manifest> claims = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      int seed = i;
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                try {
                  start.await();
                  ObjectStore faulty =
                      new RetryingObjectStore(
                          new FaultyObjectStore(objects, seed, 20), 50, Duration.ZERO);
                  claims.add(new ManifestStore(faulty, PREFIX, seed).claim(0));
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              }));
    }
    start.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(16, claims.size());
    assertEquals(16, claims.stream().map(Manifest::number).distinct().count());
    assertEquals(16, claims.stream().map(Manifest::generation).distinct().count());
  }

  @Test
  void layersThatLeaveAGapAreRefused() throws IOException {
    Manifest manifest = imported(new ManifestStore(new MemoryObjectStore(), PREFIX, 1).claim(0));
    assertThrows(
        IllegalArgumentException.class,
        () -> manifest.published(List.of(delta(1100, 1200, 1)), 1200, 1176, 0, 2));
    assertThrows(
        IllegalArgumentException.class,
        () -> manifest.published(List.of(delta(1000, 1200, 1)), 1300, 1176, 0, 2));
  }

  /** Old manifests are removed; the number that a sleeper would write next stays taken. */
  @Test
  void anOwnerThatSleptLongIsFencedAllTheSame() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore sleeper = new ManifestStore(objects, PREFIX, 1);
    Manifest slept = imported(sleeper.claim(0));
    sleeper.commit(slept);
    Manifest last = slept;
    for (int owner = 2; owner < 5; owner++) {
      ManifestStore other = new ManifestStore(objects, PREFIX, owner);
      last = other.claim(0);
      for (int i = 0; i < 30; i++) {
        last = extended(last);
        other.commit(last);
        other.removeOld(last.number());
      }
    }
    assertThrows(PageserverException.Fenced.class, () -> sleeper.commit(extended(slept)));
    assertEquals(last, sleeper.load());
    assertTrue(objects.list(PREFIX).size() < 40, "manifests pile up");
  }

  // A bucket that was emptied, or another one

  /** All objects, to be brought back. */
  private static Map<String, byte[]> takeAway(ObjectStore objects) throws IOException {
    Map<String, byte[]> taken = new TreeMap<>();
    for (ObjectEntry entry : objects.list("")) {
      taken.put(entry.name(), objects.get(entry.name()));
      objects.delete(entry.name());
    }
    return taken;
  }

  @Test
  void nothingIsCommittedAfterAManifestThatIsGone() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest last = imported(owner.claim(0));
    owner.commit(last);
    Map<String, byte[]> taken = takeAway(objects);
    Manifest next = extended(last);
    IOException gone = assertThrows(ManifestGoneException.class, () -> owner.commit(next));
    assertTrue(String.valueOf(gone.getMessage()).contains(PREFIX + "manifest/"), gone::toString);
    assertTrue(gone.getMessage().contains("%020d".formatted(1)), gone::toString);
    assertEquals(List.of(), objects.list(""));
    for (Map.Entry<String, byte[]> object : taken.entrySet()) {
      objects.put(object.getKey(), object.getValue());
    }
    owner.commit(next);
    assertEquals(next, owner.load());
  }

  /** Nobody can tell at that commit; the next one can. */
  @Test
  void aStoreThatIsEmptiedWithinACommitIsFoundByTheNext() throws IOException {
    MemoryObjectStore objects = new MemoryObjectStore();
    ObjectStore emptied =
        new ForwardingObjectStore(objects) {
          private int left = 4;

          @Override
          public void create(String name, byte[] bytes) throws IOException {
            if (--left == 0) {
              takeAway(objects);
            }
            super.create(name, bytes);
          }
        };
    ManifestStore owner = new ManifestStore(emptied, PREFIX, 1);
    Manifest second = imported(owner.claim(0));
    owner.commit(second);
    Manifest third = extended(second);
    owner.commit(third);
    Manifest fourth = extended(third);
    owner.commit(fourth);
    assertEquals(1, objects.list("").size());
    assertThrows(ManifestGoneException.class, () -> owner.commit(extended(fourth)));
    assertEquals(1, objects.list("").size());
  }

  @Test
  void whoIsFencedLearnsThatAlsoWhereTheManifestIsGone() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore first = new ManifestStore(objects, PREFIX, 1);
    Manifest mine = imported(first.claim(0));
    first.commit(mine);
    List<ObjectEntry> before = objects.list(PREFIX);
    Manifest theirs = new ManifestStore(objects, PREFIX, 2).claim(0);
    for (ObjectEntry entry : before) {
      objects.delete(entry.name());
    }
    assertThrows(PageserverException.Fenced.class, () -> first.commit(extended(mine)));
    assertEquals(theirs, first.load());
  }

  @Test
  void anEmptiedManifestIsNotGone() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore sleeper = new ManifestStore(objects, PREFIX, 1);
    Manifest slept = imported(sleeper.claim(0));
    sleeper.commit(slept);
    ManifestStore last = sleeper;
    for (int owner = 2; owner < 20; owner++) {
      last = new ManifestStore(objects, PREFIX, owner);
      last.claim(0);
    }
    last.emptyOld();
    assertEquals(0, objects.list(PREFIX).getFirst().length());
    assertThrows(PageserverException.Fenced.class, () -> sleeper.commit(extended(slept)));
  }

  @Test
  void aClaimThatSleptLongClaimsNothing() throws IOException {
    MemoryObjectStore objects = new MemoryObjectStore();
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest[] last = {imported(owner.claim(0))};
    owner.commit(last[0]);
    ObjectStore sleepsBeforeItCreates =
        new ForwardingObjectStore(objects) {
          private boolean slept;

          @Override
          public void create(String name, byte[] bytes) throws IOException {
            for (int i = 0; i < 30 && !slept; i++) {
              last[0] = extended(last[0]);
              owner.commit(last[0]);
              owner.removeOld(last[0].number());
            }
            slept = true;
            super.create(name, bytes);
          }
        };
    Manifest claimed = new ManifestStore(sleepsBeforeItCreates, PREFIX, 2).claim(0);
    assertEquals(last[0].number() + 1, claimed.number());
    assertEquals(2, claimed.generation());
    assertThrows(PageserverException.Fenced.class, () -> owner.commit(extended(last[0])));
  }

  private static Manifest extended(Manifest manifest) {
    long start = manifest.publishedLsn();
    int sequence = manifest.nextSequence();
    return manifest.published(
        List.of(delta(start, start + 100, sequence)), start + 100, start + 76, 1000, sequence + 1);
  }

  @Test
  void aRunThatDoesNotCoverEveryKeyIsRefused() throws IOException {
    Manifest manifest = imported(new ManifestStore(new MemoryObjectStore(), PREFIX, 1).claim(0));
    LayerDescriptor low = part(0, 99, 1);
    LayerDescriptor high = part(100, -1L, 2);
    assertEquals(2, manifest.published(List.of(high, low), 1100, 1076, 0, 3).layers().size());
    for (List<LayerDescriptor> holes :
        List.of(
            List.of(low),
            List.of(high),
            List.of(low, part(101, -1L, 2)),
            List.of(low, part(99, -1L, 2)))) {
      assertThrows(
          IllegalArgumentException.class, () -> manifest.published(holes, 1100, 1076, 0, 3));
    }
  }

  private static LayerDescriptor part(long firstKey, long lastKey, int sequence) {
    return new LayerDescriptor(
        TestOrigin.ORIGIN,
        false,
        1,
        firstKey,
        lastKey,
        1000,
        1100,
        1,
        sequence,
        1000,
        900,
        10,
        1076);
  }

  @Test
  void everyDamagedByteIsFound() throws IOException {
    Manifest.Parts none = part -> fail("it names no part");
    Manifest manifest =
        imported(new ManifestStore(new MemoryObjectStore(), PREFIX, 1).claim(0))
            .published(List.of(delta(1000, 1100, 1)), 1100, 1076, 0, 2);
    byte[] bytes = manifest.encode();
    assertEquals(manifest, Manifest.decode("m", bytes, none));
    for (int at = 0; at < bytes.length; at++) {
      bytes[at] ^= 1;
      PageserverException.Corrupt e =
          assertThrows(PageserverException.Corrupt.class, () -> Manifest.decode("m7", bytes, none));
      assertTrue(String.valueOf(e.getMessage()).contains("m7"));
      bytes[at] ^= 1;
    }
  }

  // A store whose listing and objects disagree

  /** Manifests that it lists are not found. */
  private static ObjectStore findsNothing(ObjectStore objects) {
    return new ForwardingObjectStore(objects) {
      @Override
      public byte[] get(String name) throws IOException {
        throw new ObjectNotFoundException(name);
      }
    };
  }

  private static void assertContradiction(String what, Executable call) {
    IOException e = assertThrows(IOException.class, call);
    assertTrue(
        String.valueOf(e.getMessage()).startsWith("the object store contradicts itself: ")
            && e.getMessage().contains(what),
        e::toString);
  }

  @Test
  void aManifestThatIsListedAndNotFoundFailsSoon() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    new ManifestStore(objects, PREFIX, 1).claim(0);
    ManifestStore store = new ManifestStore(findsNothing(objects), PREFIX, 2);
    assertContradiction("is listed but not found", store::load);
    assertContradiction("is listed but not found", () -> store.claim(0));
  }

  @Test
  void aManifestThatExistsAndIsNotFoundFencesNobody() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest mine = imported(owner.claim(0));
    owner.commit(mine);
    ManifestStore again = new ManifestStore(findsNothing(objects), PREFIX, 1);
    assertContradiction("exists but is not found", () -> again.commit(mine));
  }

  @Test
  void aManifestThatExistsAndIsNotListedFailsSoon() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    Manifest first = new ManifestStore(objects, PREFIX, 1).claim(0);
    List<ObjectEntry> old = objects.list(PREFIX);
    Manifest second = new ManifestStore(objects, PREFIX, 2).claim(0);
    ObjectStore stale =
        new ForwardingObjectStore(objects) {
          @Override
          public List<ObjectEntry> list(String prefix) {
            return old;
          }
        };
    ManifestStore store = new ManifestStore(stale, PREFIX, 3);
    assertEquals(first, store.load());
    assertContradiction("exists but is not listed", () -> store.claim(0));
    assertEquals(second, new ManifestStore(objects, PREFIX, 4).load());
  }

  @Test
  void whoAsksAStoreThatContradictsItselfEndsWithTheCallersDeadline() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    new ManifestStore(objects, PREFIX, 1).claim(0);
    AtomicInteger asked = new AtomicInteger();
    ObjectStore counted =
        new ForwardingObjectStore(findsNothing(objects)) {
          @Override
          public List<ObjectEntry> list(String prefix) throws IOException {
            asked.incrementAndGet();
            return super.list(prefix);
          }
        };
    StoreDeadline over = StoreDeadline.open();
    over.expire();
    over.run(() ->
        assertContradiction(
            "is listed but not found", new ManifestStore(counted, PREFIX, 2)::load));
    assertEquals(2, asked.get());
  }

  @Test
  void anAttachmentThatIsTriedAgainKeepsItsClaim() throws IOException {
    ObjectStore objects = new MemoryObjectStore();
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest claimed = owner.claim(5);
    assertEquals(claimed, owner.claim(5));
    assertEquals(claimed, owner.claim(0));
    assertEquals(1, objects.list(PREFIX).size());
    assertEquals(6, owner.claim(6).generation());
    assertEquals(7, new ManifestStore(objects, PREFIX, 2).claim(0).generation());
    assertThrows(PageserverException.Fenced.class, () -> owner.claim(6));
  }
}
