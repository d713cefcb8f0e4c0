package dev.varve.engine.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.FormatExample;
import dev.varve.engine.postgres.PostgresMajor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of {@code docs/formats/layer.md} and {@code manifest.md}, read and written. */
final class LayerFormatTest {
  private static final long KEY = 64L << 32 | 7;
  private static final LayerDescriptor DELTA =
      new LayerDescriptor(
          TestOrigin.ORIGIN, false, 0, 0, -1L, 0x1000, 0x1100, 3, 17, 247, 119, 3, 0x1048);
  private static final LayerDescriptor IMAGE =
      new LayerDescriptor(
          TestOrigin.ORIGIN,
          true,
          0,
          64L << 32,
          64L << 32 | 1,
          0x1000,
          0x1000,
          3,
          1,
          198,
          106,
          2,
          0);

  @TempDir Path directory;

  private static Layer open(LayerDescriptor descriptor, byte[] file) {
    LayerSource source =
        (offset, length) -> Arrays.copyOfRange(file, (int) offset, (int) offset + length);
    return new Layer(descriptor, source, new BlockCache(1 << 20));
  }

  @Test
  void aNameTellsTheGeneration() {
    assertEquals(OptionalInt.of(3), LayerDescriptor.generationOf(DELTA.name()));
    assertEquals(OptionalInt.of(3), LayerDescriptor.generationOf(IMAGE.name()));
    assertEquals(OptionalInt.empty(), LayerDescriptor.generationOf("writing-3"));
  }

  @Test
  void theDeltaLayerIsRead() {
    Layer layer = open(DELTA, FormatExample.read("layer.md", "delta"));
    Chain chain = new Chain();
    layer.collect(KEY, 0x1100, chain);
    assertEquals(2, chain.size());
    assertEquals(ValueKind.DERIVED, chain.kind(0));
    assertEquals(0x1100, chain.lsn(0));
    assertEquals(ValueKind.RECORD, chain.kind(1));
    assertEquals(0x1048, chain.lsn(1));
    assertEquals(3, chain.length(1));
    assertEquals((byte) 0xAA, chain.bytes(1)[chain.offset(1)]);
    assertFalse(chain.isComplete());
    chain.clear();
    layer.collect(KEY + 1, 0x1100, chain);
    assertTrue(chain.isComplete());
    assertEquals(new RecordBoundary(0x1000, 0x1048), layer.boundaryAtOrBefore(0x10FF));
    assertEquals(new RecordBoundary(0x1048, 0x1100), layer.boundaryAtOrBefore(0x1100));
  }

  @Test
  void theDeltaLayerIsWritten() throws IOException {
    Path file = directory.resolve("delta");
    try (LayerWriter writer =
        new LayerWriter(file, TestOrigin.ORIGIN, false, 0, 0, 0x1000, 0x1100, 3, 17)) {
      writer.add(
          KEY, 0x1048, ValueKind.RECORD, new byte[] {(byte) 0xAA, (byte) 0xBB, (byte) 0xCC}, 0, 3);
      writer.add(KEY, 0x1100, ValueKind.DERIVED, new byte[] {1, 2}, 0, 2);
      writer.add(KEY + 1, 0x1048, ValueKind.ZERO_PAGE, new byte[0], 0, 0);
      writer.addBoundary(new RecordBoundary(0x1000, 0x1048));
      writer.addBoundary(new RecordBoundary(0x1048, 0x1100));
      assertEquals(DELTA, writer.finish(-1L));
    }
    assertArrayEquals(FormatExample.read("layer.md", "delta"), Files.readAllBytes(file));
    assertEquals(
        "0000000000000000-ffffffffffffffff-0000000000001000-0000000000001100-d00000003-00000011",
        DELTA.name());
  }

  @Test
  void theImageLayerIsRead() {
    Layer layer = open(IMAGE, FormatExample.read("layer.md", "image"));
    LayerCursor cursor = layer.cursor(0);
    assertTrue(cursor.next());
    assertEquals(64L << 32, cursor.key());
    assertEquals(0x1000, cursor.lsn());
    assertEquals(ValueKind.ZERO_PAGE, cursor.kind());
    assertTrue(cursor.next());
    assertEquals(64L << 32 | 1, cursor.key());
    assertEquals(ValueKind.VALUE, cursor.kind());
    assertEquals(3, cursor.valueLength());
    assertFalse(cursor.next());
    assertEquals(
        "0000004000000000-0000004000000001-0000000000001000-i00000003-00000001", IMAGE.name());
  }

  @Test
  void theManifestIsReadAndWritten() throws IOException {
    byte[] bytes = FormatExample.read("manifest.md", "manifest");
    ManifestPart part =
        ManifestPart.decode(
            "00000002-1122334455667788-00000000",
            "part",
            FormatExample.read("manifest.md", "part"));
    LayerDescriptor other =
        new LayerDescriptor(
            new LayerOrigin(0x0F8B6A0E3C554D5FL, 0x9D3C2A1B00C0FFEEL, 1, 2, 2048),
            true,
            0,
            64L << 32,
            64L << 32 | 1,
            0x1000,
            0x1000,
            2,
            5,
            4096,
            3900,
            2,
            0);
    assertEquals(List.of(IMAGE, other), part.added());
    assertEquals(List.of(), part.removed());
    assertArrayEquals(FormatExample.read("manifest.md", "part"), part.encode());
    Manifest manifest =
        Manifest.decode(
            "example",
            bytes,
            name -> {
              assertEquals(part.name(), name);
              return part;
            });
    Manifest expected =
        new Manifest(
            4,
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
            LayerList.of(List.of(part), List.of(DELTA), List.of(IMAGE.id())),
            new ManifestSections(
                new ManifestSections.Ancestor(1, 2, 0x1000),
                List.of(),
                List.of(),
                List.of(),
                List.of()));
    assertEquals(expected, manifest);
    assertEquals(List.of(other, DELTA), manifest.layers());
    assertEquals(
        "0f8b6a0e3c554d5f9d3c2a1b00c0ffee/shards/1-of-2-by-2048/layers/" + other.name(),
        other.object());
    assertArrayEquals(bytes, expected.encode());
  }
}
