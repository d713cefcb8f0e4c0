package dev.varve.engine.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Layer files against a list in memory; and what a damaged byte does. */
final class LayerFuzzTest {
  @TempDir Path directory;

  private record Entry(long key, long lsn, ValueKind kind, byte[] bytes) {}

  private static final class ArraySource implements LayerSource {
    private final byte[] file;

    ArraySource(byte[] file) {
      this.file = file;
    }

    @Override
    public byte[] read(long offset, int length) throws IOException {
      if (offset < 0 || length < 0 || offset + length > file.length) {
        throw new EOFException("the file has " + file.length + " bytes");
      }
      return Arrays.copyOfRange(file, (int) offset, (int) offset + length);
    }
  }

  private static List<Entry> entries(SplittableRandom random, boolean image) {
    List<Entry> entries = new ArrayList<>();
    long key = random.nextLong(1L << 40);
    int keys = random.nextInt(1, 400);
    for (int i = 0; i < keys; i++) {
      int versions =
          image ? 1 : random.nextInt(10) == 0 ? random.nextInt(1, 200) : random.nextInt(1, 4);
      long lsn = 1000;
      for (int v = 0; v < versions; v++) {
        lsn += random.nextInt(4) * 8L;
        ValueKind kind = ValueKind.values()[random.nextInt(5)];
        byte[] bytes =
            new byte[random.nextInt(20) == 0 ? random.nextInt(70_000) : random.nextInt(300)];
        for (int b = 0; b < bytes.length; b++) {
          bytes[b] = (byte) (random.nextInt(3) == 0 ? random.nextInt() : 7);
        }
        entries.add(new Entry(key, image ? 2000 : Math.max(lsn, 1001), kind, bytes));
      }
      key += 1 + (random.nextBoolean() ? 0 : random.nextLong(1L << 34));
    }
    return entries;
  }

  private LayerDescriptor write(List<Entry> entries, boolean image, List<RecordBoundary> boundaries)
      throws IOException {
    try (LayerWriter writer =
        new LayerWriter(
            directory.resolve("layer"),
            TestOrigin.ORIGIN,
            image,
            0,
            entries.getFirst().key,
            image ? 2000 : 1000,
            image ? 2000 : 100_000,
            3,
            17)) {
      for (Entry entry : entries) {
        writer.add(entry.key, entry.lsn, entry.kind, entry.bytes, 0, entry.bytes.length);
      }
      for (RecordBoundary boundary : boundaries) {
        writer.addBoundary(boundary);
      }
      return writer.finish(entries.getLast().key + 5);
    }
  }

  private static void compare(List<Entry> entries, Layer layer, long key, long maxLsn) {
    Chain chain = new Chain();
    layer.collect(key, maxLsn, chain);
    int found = 0;
    for (int i = entries.size() - 1; i >= 0; i--) {
      Entry entry = entries.get(i);
      if (entry.key != key || entry.lsn > maxLsn) {
        continue;
      }
      assertTrue(found < chain.size(), "an entry is missing");
      assertEquals(entry.kind, chain.kind(found));
      assertEquals(entry.lsn, chain.lsn(found));
      int offset = chain.offset(found);
      assertEquals(
          -1,
          Arrays.mismatch(
              entry.bytes,
              0,
              entry.bytes.length,
              chain.bytes(found),
              offset,
              offset + chain.length(found)));
      found++;
      if (entry.kind.endsChain()) {
        break;
      }
    }
    assertEquals(found, chain.size());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void readsWhatWasWritten(long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    boolean image = seed % 3 == 0;
    List<Entry> entries = entries(random, image);
    List<RecordBoundary> boundaries = new ArrayList<>();
    long end = 1000;
    for (int i = 0; i < 20_000 && !image; i++) {
      long start = end + (random.nextInt(50) == 0 ? 24 : 0);
      end = start + 8L * random.nextInt(1, 40);
      boundaries.add(new RecordBoundary(start, end));
    }
    LayerDescriptor descriptor = write(entries, image, boundaries);
    Layer layer =
        new Layer(
            descriptor,
            new ArraySource(Files.readAllBytes(directory.resolve("layer"))),
            new BlockCache(1 << 20));
    for (int i = 0; i < 3000; i++) {
      Entry entry = entries.get(random.nextInt(entries.size()));
      long key = random.nextInt(8) == 0 ? entry.key + 1 : entry.key;
      compare(entries, layer, key, image ? 2000 : entry.lsn + random.nextInt(-8, 9));
    }
    LayerCursor cursor = layer.cursor(0);
    for (Entry entry : entries) {
      assertTrue(cursor.next());
      assertEquals(entry.key, cursor.key());
      assertEquals(entry.lsn, cursor.lsn());
      assertEquals(entry.bytes.length, cursor.valueLength());
    }
    assertFalse(cursor.next());
    for (int i = 0; i < 500 && !image; i++) {
      long lsn = random.nextLong(900, end + 100);
      RecordBoundary expected = null;
      for (RecordBoundary boundary : boundaries) {
        if (boundary.endLsn() <= lsn) {
          expected = boundary;
        }
      }
      assertEquals(expected, layer.boundaryAtOrBefore(lsn));
    }
  }

  /** As the sizes of relations are: a read of one must not look through thousands. */
  @Test
  void blocksOfShortEntriesHaveFewOfThem() throws IOException {
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < 2000; i++) {
      entries.add(new Entry(100 + i, 1500, ValueKind.VALUE, new byte[] {(byte) i, 1, 2, 3}));
    }
    for (int i = 0; i < 1000; i++) { // one key through three blocks
      entries.add(new Entry(3000, 1001 + i, ValueKind.RECORD, new byte[] {(byte) i}));
    }
    LayerDescriptor descriptor = write(entries, false, List.of());
    Layer layer =
        new Layer(
            descriptor,
            new ArraySource(Files.readAllBytes(directory.resolve("layer"))),
            new BlockCache(1 << 20));
    assertEquals(
        (3000 + LayerFormat.BLOCK_ENTRIES - 1) / LayerFormat.BLOCK_ENTRIES, layer.dataBlocks());
    for (Entry entry : entries) {
      compare(entries, layer, entry.key, entry.lsn);
      compare(entries, layer, entry.key, entry.lsn - 1);
    }
  }

  /** Any flipped byte: an error that names the layer, or an answer that is right all the same. */
  @Test
  void noDamagedByteGivesAWrongAnswer() throws IOException {
    SplittableRandom random = new SplittableRandom(99);
    List<Entry> entries = entries(random, false).subList(0, 40);
    LayerDescriptor descriptor =
        write(
            entries,
            false,
            List.of(new RecordBoundary(1000, 1104), new RecordBoundary(1104, 1208)));
    byte[] file = Files.readAllBytes(directory.resolve("layer"));
    int refused = 0;
    for (int at = 0; at < file.length; at += file.length > 20_000 ? 1 + random.nextInt(7) : 1) {
      file[at] ^= 0x10;
      Layer layer = new Layer(descriptor, new ArraySource(file), new BlockCache(1 << 20));
      try {
        for (int i = 0; i < entries.size(); i += 5) {
          compare(entries, layer, entries.get(i).key, 100_000);
        }
        assertEquals(new RecordBoundary(1104, 1208), layer.boundaryAtOrBefore(5000));
      } catch (PageserverException.Corrupt e) {
        assertTrue(String.valueOf(e.getMessage()).contains(descriptor.name()), e.getMessage());
        refused++;
      }
      file[at] ^= 0x10;
    }
    assertTrue(refused > 100, refused + " refused");
  }

  @Test
  void entriesOutOfOrderAreRefused() throws IOException {
    try (LayerWriter writer =
        new LayerWriter(
            directory.resolve("layer"), TestOrigin.ORIGIN, false, 0, 0, 1000, 2000, 1, 1)) {
      writer.add(5, 1500, ValueKind.VALUE, new byte[3], 0, 3);
      assertThrows(
          IllegalStateException.class,
          () -> writer.add(4, 1600, ValueKind.VALUE, new byte[3], 0, 3));
      assertThrows(
          IllegalStateException.class,
          () -> writer.add(5, 1400, ValueKind.VALUE, new byte[3], 0, 3));
    }
    assertFalse(Files.exists(directory.resolve("layer")), "an unfinished file is removed");
  }
}
