package dev.varve.engine.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What manifests of many layers cost, and what becomes of their parts. */
final class ManifestPartsTest {
  private static final String PREFIX = TestOrigin.PREFIX;
  private static final String PARTS = PREFIX + "parts/";
  private static final int MANY = 100_000;
  private static final int MAX_COMMIT_BYTES = 64 << 10;

  private final MemoryObjectStore objects = new MemoryObjectStore();

  /** Counts what is written and read. */
  private static final class Counted extends ForwardingObjectStore {
    private int puts;
    private int creates;
    private int reads;
    private int longestManifest;

    Counted(ObjectStore store) {
      super(store);
    }

    @Override
    public void put(String name, byte[] bytes) throws IOException {
      puts++;
      super.put(name, bytes);
    }

    @Override
    public void create(String name, byte[] bytes) throws IOException {
      creates++;
      longestManifest = Math.max(longestManifest, bytes.length);
      super.create(name, bytes);
    }

    @Override
    public byte[] get(String name) throws IOException {
      reads++;
      return super.get(name);
    }

    @Override
    public List<ObjectEntry> list(String prefix) throws IOException {
      reads++;
      return super.list(prefix);
    }
  }

  private static List<LayerDescriptor> images(int count) {
    List<LayerDescriptor> images = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      images.add(
          new LayerDescriptor(
              TestOrigin.ORIGIN, true, 0, i * 64L, i * 64L + 63, 1000, 1000, 1, i, 9, 8, 1, 0));
    }
    return images;
  }

  private static Manifest imported(Manifest claimed, int count) {
    return claimed.imported(PostgresMajor.V17, 4711, 16 << 20, 1000, count, images(count));
  }

  private static LayerDescriptor delta(int level, long start, long end, int sequence) {
    return new LayerDescriptor(
        TestOrigin.ORIGIN, false, level, 0, -1L, start, end, 1, sequence, 1000, 900, 10, end - 24);
  }

  private static Manifest extended(Manifest manifest) {
    long start = manifest.publishedLsn();
    int sequence = manifest.nextSequence();
    return manifest.published(
        List.of(delta(0, start, start + 100, sequence)),
        start + 100,
        start + 76,
        1000,
        sequence + 1);
  }

  /** The newest eight runs of level 0 become one. */
  private static Manifest merged(Manifest manifest) {
    List<LayerDescriptor> layers = manifest.layers();
    List<LayerDescriptor> newest = layers.subList(layers.size() - 8, layers.size());
    int sequence = manifest.nextSequence();
    return manifest.replaced(
        newest,
        List.of(delta(1, newest.getFirst().startLsn(), newest.getLast().endLsn(), sequence)),
        sequence + 1);
  }

  private static Manifest commit(ManifestStore store, Manifest next) throws IOException {
    Manifest compact = store.compact(next);
    store.commit(compact);
    return compact;
  }

  private Set<String> parts() {
    return objects.list(PARTS).stream()
        .map(entry -> entry.name().substring(PARTS.length()))
        .collect(Collectors.toSet());
  }

  private static Set<String> names(Manifest manifest) {
    return manifest.list().parts().stream().map(ManifestPart::name).collect(Collectors.toSet());
  }

  @Test
  void aCommitWritesWhatChangedAndPutsOneObject() throws IOException {
    Counted counted = new Counted(objects);
    ManifestStore owner = new ManifestStore(counted, PREFIX, 1);
    Manifest last = commit(owner, imported(owner.claim(0), MANY));
    for (int i = 1; i <= 3000; i++) {
      int puts = counted.puts;
      int creates = counted.creates;
      last = commit(owner, extended(last));
      if (i % 8 == 0) {
        last = commit(owner, merged(last));
      }
      assertEquals(creates + (i % 8 == 0 ? 2 : 1), counted.creates);
      assertEquals(puts, counted.puts, "a commit puts a part");
      owner.prepare(last); // as upkeep does
      owner.removeOld(last.number());
      assertTrue(last.list().parts().size() <= LayerList.MAX_PARTS);
    }
    assertTrue(
        counted.longestManifest <= MAX_COMMIT_BYTES, counted.longestManifest + " bytes in one");
    assertTrue(counted.puts >= 2, "no part was made of what changed");
    assertEquals(MANY + 3000 / 8, last.layers().size());

    Counted restarted = new Counted(objects);
    assertEquals(last, new ManifestStore(restarted, PREFIX, 2).load());
    assertTrue(restarted.reads <= 8, restarted.reads + " reads");
    assertTrue(parts().size() <= LayerList.MAX_PARTS + 3, parts().size() + " parts are left");
  }

  @Test
  void withoutUpkeepACommitIsAsShort() throws IOException {
    Counted counted = new Counted(objects);
    ManifestStore owner = new ManifestStore(counted, PREFIX, 1);
    Manifest last = commit(owner, imported(owner.claim(0), 5000));
    for (int i = 0; i < 3000; i++) {
      last = commit(owner, extended(last));
    }
    assertTrue(
        counted.longestManifest <= MAX_COMMIT_BYTES, counted.longestManifest + " bytes in one");
    assertTrue(counted.puts < 10, counted.puts + " parts");
    assertEquals(last, new ManifestStore(objects, PREFIX, 2).load());
  }

  @Test
  void aPartThatNoManifestNamesIsRemovedByTheNextOwner() throws IOException {
    ManifestStore first = new ManifestStore(objects, PREFIX, 1);
    Manifest last = commit(first, imported(first.claim(0), MANY / 100));
    last = commit(first, last.published(runs(last, 300), last.publishedLsn() + 30_000, 0, 0, 9999));
    first.prepare(last); // and dies
    assertEquals(2, parts().size());

    ManifestStore second = new ManifestStore(objects, PREFIX, 2);
    Manifest claimed = second.claim(0);
    assertEquals(last.layers(), claimed.layers());
    assertEquals(1, names(claimed).size());
    second.sweepParts(claimed);
    assertEquals(names(claimed), parts());
    Manifest next = commit(second, extended(claimed));
    assertEquals(next, new ManifestStore(objects, PREFIX, 3).load());
  }

  private static List<LayerDescriptor> runs(Manifest manifest, int count) {
    List<LayerDescriptor> runs = new ArrayList<>();
    long start = manifest.publishedLsn();
    for (int i = 0; i < count; i++) {
      runs.add(delta(0, start + i * 100L, start + i * 100L + 100, manifest.nextSequence() + i));
    }
    return runs;
  }

  @Test
  void partsStayUntilTheNewestManifestsNameThemNoMore() throws IOException {
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest last = commit(owner, imported(owner.claim(0), 1000));
    List<Manifest> committed = new ArrayList<>();
    for (int i = 0; i < 2000; i++) {
      last = commit(owner, extended(last));
      owner.prepare(last);
      owner.removeOld(last.number());
      committed.add(last);
      if (i % 50 == 0) {
        for (Manifest kept :
            committed.subList(Math.max(0, committed.size() - 8), committed.size())) {
          assertTrue(parts().containsAll(names(kept)), "a part of manifest " + kept.number());
        }
      }
    }
    assertTrue(parts().size() <= LayerList.MAX_PARTS + 3, parts().size() + " parts are left");
  }

  /** The owner goes on between the listing and the read of a part. */
  @Test
  void whoReadsAManifestWhosePartIsRemovedListsAgain() throws IOException {
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    Manifest[] last = {commit(owner, imported(owner.claim(0), 1000))};
    ObjectStore slow =
        new ForwardingObjectStore(objects) {
          private boolean slept;

          @Override
          public byte[] get(String name) throws IOException {
            if (name.startsWith(PARTS) && !slept) {
              slept = true;
              for (int i = 0; i < 1000; i++) {
                last[0] = commit(owner, extended(last[0]));
                owner.prepare(last[0]);
                owner.removeOld(last[0].number());
              }
              assertThrows(IOException.class, () -> super.get(name), "the part is gone");
            }
            return super.get(name);
          }
        };
    assertEquals(last(slow), last[0]);
  }

  private static Manifest last(ObjectStore store) throws IOException {
    return new ManifestStore(store, PREFIX, 2).load();
  }

  @Test
  void whoIsFencedTakesNoPartAway() throws IOException {
    ManifestStore sleeper = new ManifestStore(objects, PREFIX, 1);
    Manifest slept = commit(sleeper, imported(sleeper.claim(0), 1000));
    for (int i = 0; i < 400; i++) {
      slept = commit(sleeper, extended(slept));
    }
    sleeper.prepare(slept);
    ManifestStore owner = new ManifestStore(objects, PREFIX, 2);
    Manifest last = owner.claim(0);
    for (int i = 0; i < 1000; i++) {
      last = commit(owner, extended(last));
      owner.prepare(last);
      owner.removeOld(last.number());
    }
    Manifest late = sleeper.compact(extended(slept));
    assertFalse(late.list().parts().equals(slept.list().parts()));
    assertThrows(PageserverException.Fenced.class, () -> sleeper.commit(late));
    sleeper.removeOld(slept.number() + 1);
    assertEquals(last, new ManifestStore(objects, PREFIX, 3).load());
  }

  @Test
  void everyDamagedByteOfAPartIsFound() throws IOException {
    ManifestStore owner = new ManifestStore(objects, PREFIX, 1);
    commit(owner, imported(owner.claim(0), 700));
    String part = objects.list(PARTS).getFirst().name();
    byte[] right = objects.get(part);
    for (int at = 0; at < right.length; at += 97) {
      byte[] damaged = right.clone();
      damaged[at] ^= 1;
      objects.put(part, damaged);
      PageserverException.Corrupt e =
          assertThrows(
              PageserverException.Corrupt.class, new ManifestStore(objects, PREFIX, 2)::load);
      assertTrue(String.valueOf(e.getMessage()).contains(part), e::toString);
    }
  }

  /** Lists of layers with parts made at random are the plain lists. */
  @Test
  void listsOfPartsAreTheLayersThatWereAddedAndNotRemoved() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    LayerList list = LayerList.EMPTY;
    List<LayerDescriptor> model = new ArrayList<>();
    List<LayerDescriptor> all = images(20_000);
    int next = 0;
    LayerList base = list;
    LayerList folded = null;
    for (int step = 0; step < 3000; step++) {
      int count = random.nextInt(6);
      List<LayerDescriptor> more = all.subList(next, next + count);
      next += count;
      List<LayerDescriptor> gone =
          model.stream().filter(_ -> random.nextInt(model.size() + 1) < 2).toList();
      model.removeAll(gone);
      model.addAll(more);
      list = gone.isEmpty() ? list.with(more) : list.replaced(gone, more);
      switch (random.nextInt(20)) {
        case 0 -> list = list.folded("inline " + step);
        case 1 -> {
          base = list;
          folded = list.folded("prepared " + step);
        }
        default -> {}
      }
      if (folded != null && random.nextInt(8) == 0) {
        list = list.isChanged(base) ? list.onto(base, folded) : list;
        folded = null;
      }
      LayerList read =
          LayerList.of(list.parts(), List.copyOf(list.added()), List.copyOf(list.removed()));
      assertEquals(model, list.layers(), "seed " + seed);
      assertEquals(list, read, "seed " + seed);
      assertTrue(list.parts().size() <= LayerList.MAX_PARTS, "seed " + seed);
    }
  }
}
