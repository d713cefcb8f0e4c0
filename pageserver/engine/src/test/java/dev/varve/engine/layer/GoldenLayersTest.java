package dev.varve.engine.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.format.FileKind;
import dev.varve.testkit.GoldenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Layers and manifests of every released version are read, and those of this one written ({@link
 * GoldenFile}).
 */
final class GoldenLayersTest {
  private static final int ENTRIES = 600;

  @TempDir Path directory;

  private static byte[] value(int number) {
    byte[] value = new byte[number % 40];
    new Random(number).nextBytes(value);
    return value;
  }

  private static ValueKind kind(int number, boolean image) {
    return image
        ? number % 2 == 0 ? ValueKind.IMAGE : ValueKind.VALUE
        : ValueKind.values()[number % 5];
  }

  private LayerDescriptor write(Path file, boolean image) throws IOException {
    try (LayerWriter writer =
        new LayerWriter(file, image, 1, 16, 0x1000, image ? 0x1000 : 0x9000, 3, 7)) {
      for (int i = 0; i < ENTRIES; i++) {
        byte[] value = value(i);
        writer.add(
            image ? 16 + i : 16 + i / 3,
            image ? 0x1000 : 0x1008 + 8L * (i % 3),
            kind(i, image),
            value,
            0,
            value.length);
      }
      if (!image) {
        for (long at = 0x1000; at < 0x9000; at += 64) {
          writer.addBoundary(new RecordBoundary(at, at + 64));
        }
      }
      return writer.finish(-1L);
    }
  }

  private void layers(String name, boolean image) throws IOException {
    Path file = directory.resolve(name);
    LayerDescriptor written = write(file, image);
    // Not compared: another zstd may compress otherwise.
    var _ = GoldenFile.ofCurrent(name, FileKind.LAYER.version(), Files.readAllBytes(file));
    for (int version = FileKind.LAYER.oldestRead();
        version <= FileKind.LAYER.version();
        version++) {
      byte[] golden = GoldenFile.read(name, version);
      LayerDescriptor listed = listed(written, golden);
      LayerSource source =
          (offset, length) -> Arrays.copyOfRange(golden, (int) offset, (int) offset + length);
      Layer layer = new Layer(listed, source, new BlockCache(1 << 20));
      layer.check();
      LayerCursor cursor = layer.cursor(0);
      for (int i = 0; i < ENTRIES; i++) {
        assertTrue(cursor.next());
        assertEquals(image ? 16 + i : 16 + i / 3, cursor.key());
        assertEquals(image ? 0x1000 : 0x1008 + 8L * (i % 3), cursor.lsn());
        assertEquals(kind(i, image), cursor.kind());
        assertArrayEquals(
            value(i),
            Arrays.copyOfRange(
                cursor.bytes(), cursor.valueOffset(), cursor.valueOffset() + cursor.valueLength()));
      }
      assertFalse(cursor.next());
      if (!image) {
        assertEquals(new RecordBoundary(0x8FC0, 0x9000), layer.boundaryAtOrBefore(-1L));
      }
    }
  }

  /**
   * As a manifest lists the golden file, which may be of another length than what is written now.
   */
  private static LayerDescriptor listed(LayerDescriptor layer, byte[] golden) {
    return new LayerDescriptor(
        layer.isImage(),
        layer.level(),
        layer.firstKey(),
        layer.lastKey(),
        layer.startLsn(),
        layer.endLsn(),
        layer.generation(),
        layer.sequence(),
        golden.length,
        LittleEndian.i64(golden, golden.length - LayerFormat.FOOTER_BYTES),
        layer.entryCount(),
        layer.lastRecordLsn());
  }

  @Test
  void deltaLayers() throws IOException {
    layers("delta-layer", false);
  }

  @Test
  void imageLayers() throws IOException {
    layers("image-layer", true);
  }

  @Test
  void manifests() throws IOException {
    Manifest manifest =
        new Manifest(
            9,
            3,
            0x1122334455667788L,
            PostgresMajor.V17,
            7412345678901234567L,
            16 << 20,
            0x1000,
            0x1048,
            0x1100,
            0x1048,
            18,
            List.of(
                new LayerDescriptor(true, 0, 0, 99, 0x1000, 0x1000, 2, 3, 4000, 3900, 20, 0),
                new LayerDescriptor(false, 0, 0, 7, 0x1000, 0x1100, 3, 17, 215, 83, 3, 0x1048),
                new LayerDescriptor(false, 1, 8, -1L, 0x1000, 0x1100, 3, 18, 9, 1, 3, 0x1048)),
            List.of());
    byte[] written = manifest.encode();
    byte[] current = GoldenFile.ofCurrent("manifest", FileKind.MANIFEST.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.MANIFEST.oldestRead();
        version <= FileKind.MANIFEST.version();
        version++) {
      assertEquals(manifest, Manifest.decode("m", GoldenFile.read("manifest", version)));
    }
  }
}
