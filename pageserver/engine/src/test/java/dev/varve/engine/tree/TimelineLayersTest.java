package dev.varve.engine.tree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.LayerOrigin;
import dev.varve.engine.layer.LayerWriter;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreRefusedException;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a timeline's layers make of an object store that fails. */
final class TimelineLayersTest {
  private static final String PREFIX = TestOrigin.PREFIX;
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(4711, PostgresMajor.V17, 16 << 20);

  private static final long TEN_SECONDS = 10_000_000_000L;
  private static final long MORE_THAN_A_MINUTE = 61_000_000_000L;

  @TempDir Path directory;

  private final AtomicLong nanos = new AtomicLong();

  private final List<MemoryObjectStore> stores = new ArrayList<>();

  /** A store that is whole when the test has ended, with nothing left over. */
  private MemoryObjectStore checkedStore() {
    stores.add(new MemoryObjectStore());
    return stores.getLast();
  }

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    for (MemoryObjectStore store : stores) {
      CheckedStore.requireCleanBelow(store, PREFIX);
    }
  }

  private TimelineLayers attach(ObjectStore store) {
    return attach(store, new LocalDisk(Long.MAX_VALUE));
  }

  private TimelineLayers attach(ObjectStore store, LocalDisk disk) {
    return attach(store, TestOrigin.ORIGIN, directory, disk);
  }

  private TimelineLayers attach(ObjectStore store, LayerOrigin origin, Path local, LocalDisk disk) {
    return TimelineLayers.attach(
        store,
        TestOrigin.TIMELINES,
        origin,
        local,
        new LayerResources(disk, new LayerMemory(1), new BlockCache(1)),
        0,
        EngineOptions.defaults(),
        nanos::get);
  }

  @Test
  void aManifestWhoseAnswerIsLostIsNotTakenForAnotherOwners() throws IOException {
    MemoryObjectStore memory = checkedStore();
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
    ExpectedLog.containing("01/manifest 2 is tried again");
    try (TimelineLayers layers = attach(losesTheSecondManifest)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      assertEquals(2, layers.manifest().number());
      assertEquals(layers.manifest(), new ManifestStore(memory, PREFIX, 9).load());
      assertEquals(1, layers.failures().errors());
    }
  }

  @Test
  void aTimelineThatStopsDoesNotWaitForTheStore() throws IOException {
    ObjectStore failsAfterTheClaim =
        new ForwardingObjectStore(checkedStore()) {
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
    ExpectedLog.containing("01/manifest 2 is tried again");
    try (TimelineLayers layers = attach(failsAfterTheClaim)) {
      layers.stopCommitting();
      assertThrows(IOException.class, () -> layers.commitImport(IDENTITY, 0x1000, List.of()));
      assertEquals(1, layers.manifest().number());
    }
  }

  /** The part that the manifest names is stored once, whatever becomes of the manifest's answer. */
  @Test
  void aLongManifestWhoseAnswerIsLostIsCommittedWithTheSamePart() throws IOException {
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
    ExpectedLog.containing("01/manifest 2 is tried again");
    try (TimelineLayers layers = attach(losesTheSecondManifest)) {
      List<LayerFile> images = new ArrayList<>();
      for (int key = 0; key < 700; key++) {
        try (LayerWriter out = layers.newLayer(true, 0, key, 0x1000, 0x1000)) {
          out.add(key, 0x1000, ValueKind.VALUE, new byte[1], 0, 1);
          images.add(layers.adopt(out.finish(key)));
        }
      }
      layers.commitImport(IDENTITY, 0x1000, images);
      assertEquals(layers.manifest(), new ManifestStore(memory, PREFIX, 9).load());
      assertEquals(700, layers.manifest().layers().size());
      assertEquals(1, memory.list(PREFIX + "parts/").size());
      assertTrue(memory.list(PREFIX + "manifest/").getLast().length() < 1000);
      publish(layers, 0x1000, 0x2000);
      assertEquals(layers.manifest(), new ManifestStore(memory, PREFIX, 9).load());
    }
  }

  @Test
  void whatIsReplacedSoonAfterAnAttachmentStaysForTheOneBefore() throws IOException {
    MemoryObjectStore store = checkedStore();
    try (TimelineLayers first = attach(store)) {
      first.commitImport(IDENTITY, 0x1000, List.of());
      publish(first, 0x1000, 0x2000);
      publish(first, 0x2000, 0x3000);
      List<String> replaced = merge(first, 0x1000, 0x3000);
      publish(first, 0x3000, 0x4000);
      assertFalse(objects(store).containsAll(replaced), "nobody had it before");
      publish(first, 0x4000, 0x5000);
    }
    try (TimelineLayers second = attach(store)) {
      List<String> replaced = merge(second, 0x1000, 0x5000);
      publish(second, 0x5000, 0x6000);
      publish(second, 0x6000, 0x7000);
      assertTrue(objects(store).containsAll(replaced), "removed under the one before");
      nanos.addAndGet(MORE_THAN_A_MINUTE);
      publish(second, 0x7000, 0x8000);
      assertFalse(objects(store).stream().anyMatch(replaced::contains), "nobody reads them now");
    }
  }

  /** Manifests remember what is replaced until it may be removed, whoever comes and goes. */
  @Test
  void whatIsReplacedIsRememberedByTheNextAttachment() throws IOException {
    MemoryObjectStore store = checkedStore();
    try (TimelineLayers first = attach(store)) {
      first.commitImport(IDENTITY, 0x1000, List.of());
      publish(first, 0x1000, 0x2000);
      publish(first, 0x2000, 0x3000);
    }
    List<String> replaced;
    try (TimelineLayers second = attach(store)) {
      replaced = merge(second, 0x1000, 0x3000);
    }
    assertTrue(objects(store).containsAll(replaced), "removed under the first one's readers");
    CheckedStore.requireCleanBelow(store, PREFIX);
    try (TimelineLayers third = attach(store)) {
      assertEquals(2, third.manifest().sections().replaced().size());
      nanos.addAndGet(MORE_THAN_A_MINUTE);
      publish(third, 0x3000, 0x4000);
      assertEquals(List.of(), third.manifest().sections().replaced());
      assertFalse(objects(store).stream().anyMatch(replaced::contains), "nobody reads them now");
    }
  }

  /** What may not be removed stays, is told, and is removed once it may be. */
  @Test
  void aStoreThatRefusesToDeleteHoldsUpNoManifest() throws IOException {
    MemoryObjectStore memory = checkedStore();
    AtomicBoolean denied = new AtomicBoolean(true);
    ObjectStore store =
        new ForwardingObjectStore(memory) {
          @Override
          public void delete(String name) throws IOException {
            if (denied.get()) {
              throw new StoreRefusedException("delete " + name + ": denied");
            }
            super.delete(name);
          }
        };
    ExpectedLog.containing("removing what is no longer wanted failed and is tried again");
    try (TimelineLayers layers = attach(store)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      publish(layers, 0x2000, 0x3000);
      List<String> replaced = merge(layers, 0x1000, 0x3000);
      for (long lsn = 0x3000; lsn < 0x20000; lsn += 0x1000) {
        publish(layers, lsn, lsn + 0x1000);
      }
      assertEquals(0x20000, layers.manifest().publishedLsn());
      assertTrue(layers.failureText().contains("denied"), layers.failureText());
      assertTrue(objects(memory).containsAll(replaced));
      int piled = memory.list(PREFIX + "manifest/").size();
      denied.set(false);
      nanos.addAndGet(MORE_THAN_A_MINUTE);
      publish(layers, 0x20000, 0x21000);
      publish(layers, 0x21000, 0x22000);
      assertEquals("", layers.failureText());
      assertFalse(objects(memory).stream().anyMatch(replaced::contains));
      assertTrue(memory.list(PREFIX + "manifest/").size() < piled / 2);
    }
  }

  @Test
  void whatEarlierGenerationsLeftUnlistedIsRemoved() throws IOException {
    MemoryObjectStore store = new MemoryObjectStore();
    String mergedInVain;
    try (TimelineLayers first = attach(store)) {
      first.commitImport(IDENTITY, 0x1000, List.of());
      publish(first, 0x1000, 0x2000);
      LayerFile merged = write(first, 1, 0x1000, 0x2000);
      merged.upload();
      mergedInVain = merged.descriptor().name();
    }
    store.put(PREFIX + "layers/of-somebody-else", new byte[1]);
    try (TimelineLayers second = attach(store)) {
      publish(second, 0x2000, 0x3000);
      LayerFile merged = write(second, 1, 0x1000, 0x3000);
      merged.upload();
      assertTrue(objects(store).contains(mergedInVain), "may be read under the one before");
      nanos.addAndGet(MORE_THAN_A_MINUTE);
      publish(second, 0x3000, 0x4000);
      List<String> expected =
          new ArrayList<>(second.manifest().layers().stream().map(LayerDescriptor::name).toList());
      expected.add(merged.descriptor().name());
      expected.add("of-somebody-else");
      assertEquals(Set.copyOf(expected), Set.copyOf(objects(store)));
    }
  }

  /** A merge that was given up, and a layer whose manifest did not come any more. */
  @Test
  void whatNoManifestListsIsRemovedAtTheEnd() throws IOException {
    MemoryObjectStore store = checkedStore();
    try (TimelineLayers layers = attach(store)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      LayerFile merged = write(layers, 1, 0x1000, 0x2000);
      merged.upload();
      layers.abandon(List.of(merged));
      OpenLayer open = new OpenLayer(0x2000, 0, layers.memory());
      layers.open(open);
      layers.freeze(new OpenLayer(0x3000, 0, layers.memory()), 0);
      LayerFile unlisted = write(layers, 0, 0x2000, 0x3000);
      layers.fileWritten(open, unlisted);
      unlisted.upload();
      assertEquals(3, objects(store).size());
    }
    assertEquals(1, objects(store).size());
  }

  /** What it has uploaded may be listed, as far as it knows. */
  @Test
  void whatAnUndecidedManifestListsStays() throws IOException {
    MemoryObjectStore store = checkedStore();
    AtomicBoolean losesAnswers = new AtomicBoolean();
    ObjectStore losing =
        new ForwardingObjectStore(store) {
          @Override
          public void create(String name, byte[] bytes) throws IOException {
            super.create(name, bytes);
            if (losesAnswers.get()) {
              throw new IOException("the answer was lost");
            }
          }
        };
    ExpectedLog.containing("m/manifest 4 is tried again");
    try (TimelineLayers layers = attach(losing)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      losesAnswers.set(true);
      layers.stopCommitting(); // or the commit would be tried again, and found
      assertThrows(IOException.class, () -> publish(layers, 0x2000, 0x3000));
    }
    assertEquals(2, objects(store).size());
  }

  @Test
  void theNewestLayersAreFetchedAfterAMove() throws IOException {
    MemoryObjectStore store = checkedStore();
    try (TimelineLayers there = attach(store)) {
      there.commitImport(IDENTITY, 0x1000, List.of());
      publish(there, 0x1000, 0x2000);
      publish(there, 0x2000, 0x3000);
    }
    AtomicBoolean down = new AtomicBoolean();
    ObjectStore mayBeDown =
        new ForwardingObjectStore(store) {
          @Override
          public byte[] getRange(String name, long offset, int length) throws IOException {
            if (down.get()) {
              throw new IOException("the store does not answer");
            }
            return super.getRange(name, offset, length);
          }
        };
    Path elsewhere = directory.resolve("elsewhere");
    try (TimelineLayers here =
        TimelineLayers.attach(
            mayBeDown,
            TestOrigin.TIMELINES,
            TestOrigin.ORIGIN,
            elsewhere,
            LayerResources.of(EngineOptions.defaults()),
            0,
            EngineOptions.defaults(),
            System::nanoTime)) {
      AtomicInteger asked = new AtomicInteger();
      List<LayerFile> all = here.map().files();
      assertFalse(here.fetch(all.getFirst(), () -> asked.incrementAndGet() > 1));
      assertEquals(List.of(), files(elsewhere), "stopped in the first file");
      for (LayerFile file : all) {
        assertTrue(here.fetch(file, () -> false));
      }
      assertEquals(2, files(elsewhere).size());
      down.set(true);
      Chain chain = new Chain();
      here.map().collect(KeySpace.key(KeySpace.CONTROL, 0), 0x3000, chain);
      assertEquals(0x3000, chain.lsn(0));
    }
  }

  /** Moves objects from one store to the other. */
  private static void move(MemoryObjectStore from, MemoryObjectStore to, String prefix)
      throws IOException {
    for (ObjectEntry entry : from.list(prefix)) {
      to.put(entry.name(), from.get(entry.name()));
      from.delete(entry.name());
    }
  }

  @Test
  void whatIsPublishedStaysWhereItIsWhileTheStoreIsEmptied() throws IOException {
    MemoryObjectStore store = checkedStore();
    MemoryObjectStore versions = new MemoryObjectStore();
    ExpectedLog.containing("01/manifest 4 is tried again");
    try (TimelineLayers layers = attach(store)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      move(store, versions, "");
      layers.stopCommitting(); // or the commit would wait
      assertThrows(IOException.class, () -> publish(layers, 0x2000, 0x3000));
      assertEquals(0x2000, layers.manifest().publishedLsn());
      assertEquals(List.of(), store.list(PREFIX + "manifest/"));
      String failure = layers.failureText();
      assertTrue(failure.contains("no longer holds " + PREFIX + "manifest/"), failure);
      assertTrue(failure.contains("bucket's versions"), failure);
      Chain chain = new Chain();
      layers.map().collect(KeySpace.key(KeySpace.CONTROL, 0), 0x2000, chain);
      assertEquals(0x2000, chain.lsn(0));
      assertEquals(2, layers.map().files().stream().filter(LayerFile::isLocal).count());
      move(versions, store, "");
      assertTrue(layers.publish());
      layers.audit();
      assertEquals(0x3000, layers.manifest().publishedLsn());
      assertEquals("", layers.failureText());
    }
    try (TimelineLayers again = attach(store)) {
      assertEquals(0x3000, again.manifest().publishedLsn());
    }
  }

  @Test
  void aLayerThatIsGoneShows() throws IOException {
    MemoryObjectStore store = new MemoryObjectStore();
    MemoryObjectStore versions = new MemoryObjectStore();
    AtomicInteger listings = new AtomicInteger();
    ObjectStore counted =
        new ForwardingObjectStore(store) {
          @Override
          public List<ObjectEntry> list(String prefix) throws IOException {
            listings.incrementAndGet();
            return super.list(prefix);
          }
        };
    LocalDisk disk = new LocalDisk(1);
    ExpectedLog.containing("checking the layers in the object store failed and is tried again");
    try (TimelineLayers layers = attach(counted, disk)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000); // leaves the disk at once, as do all that follow
      layers.audit();
      assertEquals("", layers.failureText());
      LayerFile first = layers.map().files().getFirst();
      String name = PREFIX + "layers/" + first.descriptor().name();
      move(store, versions, name);
      int before = listings.get();
      layers.audit();
      assertEquals(before, listings.get(), "within the hour nobody looks");
      // A read says which, and has the store looked at.
      Chain chain = new Chain();
      long key = KeySpace.key(KeySpace.CONTROL, 0);
      PageserverException.Unavailable e =
          assertThrows(
              PageserverException.Unavailable.class, () -> first.collect(key, 0x2000, chain));
      assertTrue(String.valueOf(e.getMessage()).contains(first.descriptor().name()), e::toString);
      nanos.addAndGet(TEN_SECONDS);
      layers.audit();
      String failure = layers.failureText();
      assertTrue(failure.contains("1 of 1 layers, among them " + name), failure);
      publish(layers, 0x2000, 0x3000);
      assertEquals(0x3000, layers.manifest().publishedLsn());
      move(versions, store, name);
      nanos.addAndGet(TEN_SECONDS);
      layers.audit();
      assertEquals("", layers.failureText());
      first.collect(key, 0x2000, chain);
      assertEquals(0x2000, chain.lsn(0));
      // A shorter one is another one; an hour later it is found by itself.
      store.put(name, new byte[1]);
      nanos.addAndGet(3600 * 1_000_000_000L);
      layers.audit();
      assertTrue(layers.failureText().contains("1 of 2 layers"), layers.failureText());
    }
  }

  @Test
  void theLocalCopyOfALayerThatIsGoneStays() throws IOException {
    MemoryObjectStore store = new MemoryObjectStore();
    LocalDisk disk = new LocalDisk(1 << 20);
    ExpectedLog.containing("checking the layers in the object store failed and is tried again");
    try (TimelineLayers layers = attach(store, disk)) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      LayerFile file = layers.map().files().getFirst();
      store.delete(PREFIX + "layers/" + file.descriptor().name());
      layers.audit();
      file.evict();
      assertTrue(file.isLocal());
    }
  }

  /** A merge, and the removal of what it replaced, come between a reader and its layer. */
  @Test
  void aReaderOfAReplacedLayerReadsWhatTookItsPlace() throws IOException {
    MemoryObjectStore memory = checkedStore();
    List<Runnable> beforeARead = new ArrayList<>();
    ObjectStore store =
        new ForwardingObjectStore(memory) {
          @Override
          public byte[] getRange(String name, long offset, int length) throws IOException {
            List<Runnable> now = List.copyOf(beforeARead);
            beforeARead.clear();
            now.forEach(Runnable::run);
            return super.getRange(name, offset, length);
          }
        };
    try (TimelineLayers layers = attach(store, new LocalDisk(1))) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000); // leaves the disk at once
      publish(layers, 0x2000, 0x3000);
      PageReader reader =
          new PageReader(
              layers::map,
              () -> {
                throw new IllegalStateException("no page is read");
              });
      beforeARead.add(() -> {
        try {
          List<String> replaced = merge(layers, 0x1000, 0x3000);
          publish(layers, 0x3000, 0x4000);
          assertFalse(objects(memory).stream().anyMatch(replaced::contains));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
      long key = KeySpace.key(KeySpace.CONTROL, 0);
      assertEquals(0x3000, reader.version(key, 0x3000).lsn());
      beforeARead.add(() -> {
        try {
          merge(layers, 0x1000, 0x4000);
          publish(layers, 0x4000, 0x5000);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
      assertEquals(0x4000, reader.boundaryAtOrBefore(0x4000).endLsn());
    }
  }

  /** As a branch, a split shard or a copy does. */
  @Test
  void aTimelineListsLayersOfAnotherOne() throws IOException {
    MemoryObjectStore store = new MemoryObjectStore();
    LayerOrigin branch = TestOrigin.of(2);
    LocalDisk disk = new LocalDisk(Long.MAX_VALUE);
    long key = KeySpace.key(KeySpace.CONTROL, 0);
    try (TimelineLayers original = attach(store)) {
      original.commitImport(IDENTITY, 0x1000, List.of());
      publish(original, 0x1000, 0x2000);
      LayerDescriptor shared = original.map().files().getFirst().descriptor();
      ManifestStore manifests = new ManifestStore(store, TestOrigin.TIMELINES + branch.path(), 7);
      Manifest empty = manifests.claim(0);
      Manifest imported =
          empty.imported(
              IDENTITY.major(), IDENTITY.systemIdentifier(), 16 << 20, 0x1000, 0, List.of());
      manifests.commit(imported);
      manifests.commit(imported.published(List.of(shared), 0x2000, 0x1FC0, 0, 0));

      ExpectedLog.containing("checking the layers in the object store failed and is tried again");
      try (TimelineLayers layers = attach(store, branch, directory.resolve("branch"), disk)) {
        LayerFile file = layers.map().files().getFirst();
        assertEquals(TestOrigin.ORIGIN, file.descriptor().origin());
        Chain chain = new Chain();
        file.collect(key, 0x2000, chain);
        assertEquals(0x2000, chain.lsn(0));
        layers.audit();
        assertEquals("", layers.failureText());
        // The copy on the disk is not taken for a layer of its own that has the same name.
        assertTrue(layers.fetch(file, () -> false));
        assertTrue(file.isLocal());
        assertFalse(Files.exists(directory.resolve("branch").resolve(shared.name())));

        publish(layers, 0x2000, 0x3000);
        merge(layers, 0x1000, 0x3000);
        nanos.addAndGet(MORE_THAN_A_MINUTE);
        publish(layers, 0x3000, 0x4000);
        publish(layers, 0x4000, 0x5000);
        assertEquals(List.of(shared.name()), objects(store), "it is the original's to remove");
      }
      try (TimelineLayers other = attach(store, TestOrigin.of(3), directory.resolve("x"), disk)) {
        other.commitImport(IDENTITY, 0x1000, List.of());
      }
      ManifestStore third =
          new ManifestStore(store, TestOrigin.TIMELINES + TestOrigin.of(3).path(), 8);
      third.commit(third.claim(0).published(List.of(shared), 0x2000, 0x1FC0, 0, 0));
      store.delete(TestOrigin.TIMELINES + shared.object());
      try (TimelineLayers other = attach(store, TestOrigin.of(3), directory.resolve("x"), disk)) {
        other.audit();
        assertTrue(
            other.failureText().contains(TestOrigin.TIMELINES + shared.object()),
            other.failureText());
      }
    }
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  private static List<String> objects(MemoryObjectStore store) throws IOException {
    return store.list(PREFIX + "layers/").stream()
        .map(entry -> entry.name().substring(entry.name().lastIndexOf('/') + 1))
        .toList();
  }

  private static void publish(TimelineLayers layers, long startLsn, long endLsn)
      throws IOException {
    OpenLayer open = new OpenLayer(startLsn, 0, layers.memory());
    layers.open(open);
    layers.freeze(new OpenLayer(endLsn, 0, layers.memory()), 0);
    layers.fileWritten(open, write(layers, 0, startLsn, endLsn));
    assertTrue(layers.publish());
    layers.removeUnwanted();
  }

  /** Returns the names of what was merged. */
  private static List<String> merge(TimelineLayers layers, long startLsn, long endLsn)
      throws IOException {
    List<LayerFile> all = List.copyOf(layers.map().files());
    LayerFile merged = write(layers, 1, startLsn, endLsn);
    merged.upload();
    layers.replace(all, List.of(merged));
    return all.stream().map(file -> file.descriptor().name()).toList();
  }

  private static LayerFile write(TimelineLayers layers, int level, long startLsn, long endLsn)
      throws IOException {
    try (DeltaRun run = new DeltaRun(layers, level, startLsn, endLsn, Long.MAX_VALUE)) {
      run.add(KeySpace.key(KeySpace.CONTROL, 0), endLsn, ValueKind.VALUE, new byte[1], 0, 1);
      run.addBoundary(new RecordBoundary(endLsn - 64, endLsn));
      run.keep();
      return run.finish().getFirst();
    }
  }
}
