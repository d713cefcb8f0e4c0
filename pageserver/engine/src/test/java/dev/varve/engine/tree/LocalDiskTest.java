package dev.varve.engine.tree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.TestOrigin;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.store.MemoryObjectStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One bound for the layer files of several timelines. */
final class LocalDiskTest {
  private static final int PAGE_BYTES = 8192;
  private static final long KEY = KeySpace.key(KeySpace.FIRST_RELATION, 0);

  @TempDir Path directory;

  private final MemoryObjectStore store = new MemoryObjectStore();

  private TimelineLayers attach(String timeline, LocalDisk disk) {
    return TimelineLayers.attach(
        store,
        TestOrigin.TIMELINES,
        TestOrigin.of(timeline.hashCode()),
        directory.resolve(timeline),
        new LayerResources(disk, new LayerMemory(1), new BlockCache(1)),
        0,
        EngineOptions.defaults(),
        System::nanoTime);
  }

  /** About a page's size: it cannot be compressed. */
  private static LayerFile write(TimelineLayers layers, long lsn) throws IOException {
    byte[] bytes = new byte[PAGE_BYTES];
    new Random(lsn).nextBytes(bytes);
    try (DeltaRun run = new DeltaRun(layers, 0, lsn - 8, lsn, Long.MAX_VALUE)) {
      run.add(KEY, lsn, ValueKind.VALUE, bytes, 0, bytes.length);
      run.keep();
      return run.finish().getFirst();
    }
  }

  @Test
  void whatWasNotReadForLongestGoesFirst() throws IOException {
    LocalDisk disk = new LocalDisk(3 * (PAGE_BYTES + 1000));
    try (TimelineLayers a = attach("a", disk);
        TimelineLayers b = attach("b", disk)) {
      LayerFile first = write(a, 0x1008);
      LayerFile second = write(b, 0x1008);
      LayerFile third = write(a, 0x2008);
      for (LayerFile file : List.of(first, second, third)) {
        a.upload(file);
        assertTrue(file.isLocal());
      }
      Chain chain = new Chain();
      first.collect(KEY, 0x1008, chain);
      assertEquals(1, chain.size());

      LayerFile unpublished = write(b, 0x2008);
      assertFalse(disk.hasRoomFor(0), "four files are too much");
      LayerFile fifth = write(a, 0x3008);
      a.upload(fifth);
      assertEquals(
          List.of(true, false, false, true, true),
          Stream.of(first, second, third, unpublished, fifth).map(LayerFile::isLocal).toList());
      assertEquals(
          Stream.of(first, unpublished, fifth).mapToLong(f -> f.descriptor().fileBytes()).sum(),
          disk.bytes());
      assertEquals(disk.bytes(), bytesIn(directory));

      chain.clear();
      second.collect(KEY, 0x1008, chain);
      assertEquals(1, chain.size(), "read from the store");
      for (LayerFile file : List.of(first, second, third, unpublished, fifth)) {
        file.close();
      }
    }
    assertEquals(0, disk.bytes());
  }

  private static long bytesIn(Path directory) throws IOException {
    long bytes = 0;
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }
}
