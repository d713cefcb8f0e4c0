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
        new LayerWriter(
            file, TestOrigin.ORIGIN, image, 1, 16, 0x1000, image ? 0x1000 : 0x9000, 3, 7)) {
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
        layer.origin(),
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

  private static LayerDescriptor layer(
      LayerOrigin origin, boolean image, long firstKey, long lastKey, int sequence) {
    return new LayerDescriptor(
        origin,
        image,
        image ? 0 : 1,
        firstKey,
        lastKey,
        0x1000,
        image ? 0x1000 : 0x1100,
        3,
        sequence,
        4000,
        3900,
        20,
        image ? 0 : 0x1048);
  }

  private static Manifest manifest(LayerList layers, ManifestSections sections) {
    return new Manifest(
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
        layers,
        sections);
  }

  private static void manifests(String name, Manifest manifest, Manifest.Parts parts)
      throws IOException {
    byte[] written = manifest.encode();
    byte[] current = GoldenFile.ofCurrent(name, FileKind.MANIFEST.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.MANIFEST.oldestRead();
        version <= FileKind.MANIFEST.version();
        version++) {
      assertEquals(manifest, Manifest.decode("m", GoldenFile.read(name, version), parts));
    }
  }

  @Test
  void manifests() throws IOException {
    LayerDescriptor shared = layer(TestOrigin.of(7), true, 0, 99, 3);
    LayerDescriptor gone = layer(TestOrigin.ORIGIN, true, 100, 199, 4);
    LayerDescriptor low = layer(TestOrigin.ORIGIN, false, 0, 7, 17);
    LayerDescriptor high =
        layer(new LayerOrigin(-1, Long.MIN_VALUE, 3, 4, 2048), false, 8, -1L, 18);
    ManifestPart part =
        new ManifestPart("00000002-1122334455667788-00000001", List.of(shared, gone), List.of());
    ManifestPart second =
        new ManifestPart("00000003-1122334455667788-00000002", List.of(low), List.of(gone.id()));
    manifests(
        "manifest",
        manifest(
            LayerList.of(List.of(part, second), List.of(high), List.of()), ManifestSections.NONE),
        name -> name.equals(part.name()) ? part : second);
    parts("manifest-part", second);
  }

  private static void parts(String name, ManifestPart part) throws IOException {
    byte[] written = part.encode();
    byte[] current = GoldenFile.ofCurrent(name, FileKind.MANIFEST_PART.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.MANIFEST_PART.oldestRead();
        version <= FileKind.MANIFEST_PART.version();
        version++) {
      assertEquals(part, ManifestPart.decode(part.name(), "p", GoldenFile.read(name, version)));
    }
  }

  @Test
  void sectionsOfManifests() throws IOException {
    ManifestSections sections =
        new ManifestSections(
            new ManifestSections.Ancestor(0x0F8B6A0E3C554D5FL, 0x9D3C2A1B00C0FFEEL, 0x1000),
            List.of(
                new ManifestSections.RetainedLsn(
                    0x1008, ManifestSections.Reason.BRANCH, "0f8b6a0e3c554d5f9d3c2a1b00c0ffee", 0),
                new ManifestSections.RetainedLsn(
                    0x1010, ManifestSections.Reason.LEASE, "nightly", 1_800_000_000),
                new ManifestSections.RetainedLsn(0x1018, ManifestSections.Reason.WINDOW, "", 0)),
            List.of(new ManifestSections.WalObject(0x1100, 0x2100, 4, 9, 1234)),
            List.of(new ManifestSections.KeyReference(1, "kms:key/7")),
            List.of());
    LayerDescriptor all = layer(TestOrigin.ORIGIN, false, 0, -1L, 17);
    manifests(
        "manifest-sections",
        manifest(LayerList.of(List.of(all)), sections),
        name -> {
          throw new AssertionError(name);
        });
  }

  @Test
  void replacedLayersOfManifests() throws IOException {
    LayerDescriptor all = layer(TestOrigin.ORIGIN, false, 0, -1L, 17);
    LayerDescriptor replaced = layer(TestOrigin.ORIGIN, false, 0, -1L, 16);
    manifests(
        "manifest-replaced",
        manifest(LayerList.of(List.of(all)), ManifestSections.NONE)
            .withReplaced(List.of(replaced.name())),
        name -> {
          throw new AssertionError(name);
        });
  }
}
