package dev.varve.engine.work;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.HintLogging;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.LayerMemory;
import dev.varve.engine.tree.LayerResources;
import dev.varve.engine.tree.LocalDisk;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Work that disk or store fail leaves no files, no descriptors, no accounting and no objects. */
final class FailedWorkTest {
  private static final String PREFIX = TestOrigin.PREFIX;
  private static final ClusterIdentity IDENTITY =
      new ClusterIdentity(4711, PostgresMajor.V17, 16 << 20);
  private static final long MORE_THAN_A_MINUTE = 61_000_000_000L;
  private static final EngineOptions OPTIONS =
      new EngineOptions(
          1 << 20,
          Duration.ofHours(1),
          1,
          1 << 20,
          1 << 20,
          1 << 20,
          1 << 20,
          1 << 20,
          8,
          2,
          16 << 10);

  @TempDir Path directory;

  private final MemoryObjectStore memory = new MemoryObjectStore();
  private final LocalDisk disk = new LocalDisk(1 << 30);

  /** Uploads of layers that succeed before all others fail. */
  private final AtomicInteger uploadsLeft = new AtomicInteger(Integer.MAX_VALUE);

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    CheckedStore.requireCleanBelow(memory, PREFIX);
  }

  private final AtomicLong nanos = new AtomicLong();

  private TimelineLayers attach() {
    return TimelineLayers.attach(
        new ForwardingObjectStore(memory) {
          @Override
          public void putFile(String name, Path file) throws IOException {
            if (uploadsLeft.getAndDecrement() <= 0) {
              super.putFile(name, file); // as far as it knows: the answer is lost
              throw new IOException("the store does not answer");
            }
            super.putFile(name, file);
          }
        },
        TestOrigin.TIMELINES,
        TestOrigin.ORIGIN,
        directory,
        new LayerResources(disk, new LayerMemory(1), new BlockCache(1)),
        0,
        OPTIONS,
        nanos::get);
  }

  private Set<String> files() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  private long openFiles() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.filter(this::isOurs).count();
    }
  }

  private boolean isOurs(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).startsWith(directory.toRealPath());
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  private void assertNothingBut(TimelineLayers layers) throws IOException {
    Set<String> listed =
        layers.map().files().stream()
            .map(file -> file.descriptor().name())
            .collect(Collectors.toSet());
    assertEquals(listed, files());
    assertEquals(listed.size(), openFiles());
    assertEquals(
        layers.map().files().stream().mapToLong(file -> file.descriptor().fileBytes()).sum(),
        disk.bytes());
  }

  private void assertNoObjectsBut(TimelineLayers layers) throws IOException {
    assertEquals(
        layers.manifest().layers().stream().map(LayerDescriptor::name).sorted().toList(),
        memory.list(PREFIX + "layers/").stream()
            .map(entry -> entry.name().substring(entry.name().lastIndexOf('/') + 1))
            .toList());
  }

  private static void publish(TimelineLayers layers, long startLsn, long endLsn)
      throws IOException {
    OpenLayer open = new OpenLayer(startLsn, 0, layers.memory());
    layers.open(open);
    layers.freeze(new OpenLayer(endLsn, 0, layers.memory()), 0);
    byte[] value = new byte[5000];
    new Random(startLsn).nextBytes(value);
    try (DeltaRun run = new DeltaRun(layers, 0, startLsn, endLsn, Long.MAX_VALUE)) {
      for (int key = 0; key < 10; key++) {
        run.add(
            KeySpace.key(KeySpace.CONTROL, key), endLsn, ValueKind.VALUE, value, 0, value.length);
      }
      run.addBoundary(new RecordBoundary(endLsn - 64, endLsn));
      layers.fileWritten(open, run.finish().getFirst());
      run.keep();
    }
    assertTrue(layers.publish());
    layers.removeUnwanted();
  }

  @Test
  void aMergeThatCannotBeUploaded() throws IOException {
    try (TimelineLayers layers = attach()) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      publish(layers, 0x2000, 0x3000);
      // What was merged is uploaded as soon as it can be; in the meantime nothing is added.
      Compaction compaction = compaction(layers);
      uploadsLeft.set(1);
      assertThrows(IOException.class, () -> merge(compaction));
      Set<String> files = files();
      long open = openFiles();
      for (int i = 0; i < 5; i++) {
        uploadsLeft.set(0);
        assertThrows(IOException.class, () -> merge(compaction));
        assertEquals(files, files());
        assertEquals(open, openFiles());
      }
      compaction.close();
      assertNothingBut(layers);
      uploadsLeft.set(Integer.MAX_VALUE);
      merge(compaction);
      assertTrue(layers.manifest().layers().size() > 2, "several files");
      publish(layers, 0x3000, 0x4000);
      publish(layers, 0x4000, 0x5000);
      assertNothingBut(layers);
      assertNoObjectsBut(layers);
    }
    assertEquals(0, openFiles());
    assertEquals(0, disk.bytes());
  }

  private static void merge(Compaction compaction) throws IOException {
    long pause;
    do {
      pause = compaction.run();
    } while (pause != Step.WHEN_SIGNALLED);
  }

  private static Compaction compaction(TimelineLayers layers) {
    RelationDictionary dictionary = new RelationDictionary();
    PageReader reader =
        new PageReader(
            layers::map, () -> new RedoContext(PostgresMajor.V17, HintLogging.always(true)));
    return new Compaction(
        layers,
        new ChainBounder(reader, dictionary, OPTIONS.imageAfterRecords(), true),
        OPTIONS,
        System::nanoTime);
  }

  @Test
  void anImportThatCannotBeUploadedOrEnds() throws IOException {
    try (TimelineLayers layers = attach()) {
      byte[] segment = new byte[10 * Page.SIZE];
      new Random(1).nextBytes(segment);
      for (int uploads : new int[] {1, Integer.MAX_VALUE}) {
        uploadsLeft.set(uploads);
        try (BaseBackupImport backup =
            new BaseBackupImport(layers, Shard.WHOLE, IDENTITY, OPTIONS, 0x1000, () -> {})) {
          if (uploads == 1) {
            assertThrows(IOException.class, () -> take(backup, segment));
          } else {
            take(backup, segment);
          }
        }
        assertNothingBut(layers);
      }
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      assertNoObjectsBut(layers);
    }
  }

  private static void take(BaseBackupImport backup, byte[] segment) throws IOException {
    backup.file("base/5/16384", segment.length, new ByteArrayInputStream(segment));
  }

  @Test
  void aMergeThatCannotBeCommitted() throws IOException {
    try (TimelineLayers layers = attach()) {
      layers.commitImport(IDENTITY, 0x1000, List.of());
      publish(layers, 0x1000, 0x2000);
      publish(layers, 0x2000, 0x3000);
      attach().close(); // another owner
      Compaction compaction = compaction(layers);
      assertThrows(PageserverException.Fenced.class, () -> merge(compaction));
      assertEquals(2, openFiles());
    }
    assertEquals(0, openFiles());
    assertEquals(0, disk.bytes());
    try (TimelineLayers next = attach()) {
      assertEquals(2, files().size(), "a stray is removed by who comes next");
      nanos.addAndGet(MORE_THAN_A_MINUTE);
      assertNotEquals(0, next.removeUnwanted(), "and so is what the fenced one uploaded");
    }
  }
}
