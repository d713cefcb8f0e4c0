package dev.varve.engine.tree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.ForwardingObjectStore;
import dev.varve.engine.store.MemoryObjectStore;
import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The local copy of a layer, which disk, power cuts, and interrupted readers take away. */
final class LayerFileTest {
  private static final long KEY = KeySpace.key(KeySpace.FIRST_RELATION, 0);
  private static final int HEADER_BYTES = 56;
  private static final byte[] VALUE = new byte[5000];

  static {
    new Random(1).nextBytes(VALUE);
  }

  @TempDir Path directory;

  private final MemoryObjectStore memory = new MemoryObjectStore();
  private final AtomicInteger ranges = new AtomicInteger();
  private boolean answers = true;
  private final LocalDisk disk = new LocalDisk(Long.MAX_VALUE);

  private TimelineLayers attach() {
    return TimelineLayers.attach(
        new ForwardingObjectStore(memory) {
          @Override
          public byte[] getRange(String name, long offset, int length) throws IOException {
            ranges.incrementAndGet();
            if (!answers) {
              throw new IOException("the store does not answer");
            }
            return super.getRange(name, offset, length);
          }
        },
        TestOrigin.TIMELINES,
        TestOrigin.ORIGIN,
        directory,
        new LayerResources(disk, new LayerMemory(1), new BlockCache(1)),
        0,
        EngineOptions.defaults(),
        System::nanoTime);
  }

  private static LayerFile write(TimelineLayers layers) throws IOException {
    try (ImageRun run = new ImageRun(layers, 0x1000, Long.MAX_VALUE)) {
      run.value(KEY, VALUE);
      run.keep();
      return run.finish().getFirst();
    }
  }

  private String publish() throws IOException {
    try (TimelineLayers layers = attach()) {
      LayerFile file = write(layers);
      layers.commitImport(
          new ClusterIdentity(1, PostgresMajor.V17, 16 << 20), 0x1000, List.of(file));
      return file.descriptor().name();
    }
  }

  private static void read(LayerFile file) {
    Chain chain = new Chain();
    file.collect(KEY, 0x1000, chain);
    assertEquals(1, chain.size());
    assertEquals(
        Arrays.hashCode(VALUE),
        Arrays.hashCode(
            Arrays.copyOfRange(
                chain.bytes(0), chain.offset(0), chain.offset(0) + chain.length(0))));
  }

  private long localBytes() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    }
  }

  @Test
  void aLocalCopyThatIsDamagedGivesWayToTheObject() throws IOException {
    String name = publish();
    Path local = directory.resolve(name);
    byte[] whole = memory.get(TestOrigin.PREFIX + "layers/" + name);
    int damaged = 0;
    for (int at : new int[] {20, HEADER_BYTES + 100, whole.length - 3}) {
      byte[] flipped = whole.clone();
      flipped[at] ^= 1;
      Files.write(local, flipped);
      ExpectedLog.containing(name + " is damaged, the object is read instead");
      try (TimelineLayers layers = attach()) {
        LayerFile file = layers.map().files().getFirst();
        assertTrue(file.isLocal());
        read(file);
        read(file);
        assertFalse(file.isLocal());
        assertEquals(++damaged, disk.damagedCopies());
        assertEquals(0, disk.bytes());
        assertEquals(0, localBytes());
      }
    }
    // What a power cut leaves: the size without the bytes, and the bytes without the size.
    Files.write(local, new byte[whole.length]);
    ExpectedLog.containing(name + " is damaged, the object is read instead");
    try (TimelineLayers layers = attach()) {
      read(layers.map().files().getFirst());
      assertEquals(++damaged, disk.damagedCopies());
    }
    Files.write(local, Arrays.copyOf(whole, whole.length - 1));
    ExpectedLog.containing(name + " has " + (whole.length - 1) + " bytes instead of");
    try (TimelineLayers layers = attach()) {
      assertEquals(0, localBytes());
      read(layers.map().files().getFirst());
      assertEquals(++damaged, disk.damagedCopies());
    }
    Files.write(local, whole);
    ExpectedLog.containing(name + " is damaged, the object is read instead");
    try (TimelineLayers layers = attach()) {
      Files.write(local, Arrays.copyOf(whole, HEADER_BYTES + 100));
      read(layers.map().files().getFirst());
      assertEquals(++damaged, disk.damagedCopies());
    }
  }

  /** The damage may be in one block of many. */
  @Test
  void aDamagedCopyIsKeptUntilTheObjectAnswers() throws IOException {
    String name = publish();
    Path local = directory.resolve(name);
    byte[] flipped = Files.readAllBytes(local);
    flipped[HEADER_BYTES + 100] ^= 1;
    Files.write(local, flipped);
    try (TimelineLayers layers = attach()) {
      LayerFile file = layers.map().files().getFirst();
      answers = false;
      assertThrows(PageserverException.Unavailable.class, () -> read(file));
      assertTrue(file.isLocal());
      assertEquals(0, disk.damagedCopies());
      answers = true;
      ExpectedLog.containing(name + " is damaged, the object is read instead");
      read(file);
      assertFalse(file.isLocal());
      assertEquals(1, disk.damagedCopies());
    }
  }

  @Test
  void whatIsDamagedInEveryCopyIsAnError() throws IOException {
    String name = publish();
    String object = TestOrigin.PREFIX + "layers/" + name;
    byte[] flipped = memory.get(object);
    flipped[HEADER_BYTES + 100] ^= 1;
    memory.put(object, flipped);
    Files.write(directory.resolve(name), flipped);
    ExpectedLog.containing(name + " is damaged, the object is read instead");
    try (TimelineLayers layers = attach()) {
      LayerFile file = layers.map().files().getFirst();
      PageserverException.Corrupt e =
          assertThrows(PageserverException.Corrupt.class, () -> read(file));
      assertTrue(String.valueOf(e.getMessage()).contains(name + ": block 0"), e::toString);
      LayerFile unpublished;
      try (DeltaRun run = new DeltaRun(layers, 0, 0x0FF8, 0x1000, Long.MAX_VALUE)) {
        run.add(KEY, 0x1000, ValueKind.VALUE, VALUE, 0, VALUE.length);
        run.keep();
        unpublished = run.finish().getFirst();
      }
      Path local = directory.resolve(unpublished.descriptor().name());
      flipped = Files.readAllBytes(local);
      flipped[HEADER_BYTES + 100] ^= 1;
      Files.write(local, flipped);
      assertThrows(PageserverException.Corrupt.class, unpublished::upload);
      assertThrows(IOException.class, () -> memory.get(unpublished.objectName()));
      assertThrows(PageserverException.Corrupt.class, () -> read(unpublished));
      assertTrue(unpublished.isLocal(), "all there is");
      unpublished.close();
    }
  }

  @Test
  void anInterruptedReaderTakesTheLocalCopyFromNobody() throws IOException {
    publish();
    try (TimelineLayers layers = attach()) {
      LayerFile file = layers.map().files().getFirst();
      Thread.currentThread().interrupt();
      assertThrows(PageserverException.Unavailable.class, () -> read(file));
      assertTrue(Thread.interrupted(), "the interrupt is the caller's");
      read(file);
      assertEquals(0, ranges.get(), "read from the object store");
      assertTrue(file.isLocal());
    }
  }
}
