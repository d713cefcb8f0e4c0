package dev.varve.engine.tenant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.varve.format.FileKind;
import dev.varve.testkit.GoldenFile;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/**
 * Objects of every released version are read, and those of this one written ({@link GoldenFile}).
 */
final class GoldenObjectsTest {
  @Test
  void labels() throws IOException {
    TimelineLabel label = new TimelineLabel(TimelineLabel.State.RETAINED, "orders", 1_800_000_000);
    byte[] written = label.encode();
    byte[] current = GoldenFile.ofCurrent("label", FileKind.LABEL.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.LABEL.oldestRead();
        version <= FileKind.LABEL.version();
        version++) {
      assertEquals(label, TimelineLabel.decode("label", GoldenFile.read("label", version)));
    }
  }

  @Test
  void names() throws IOException {
    StoredName name = new StoredName(new TimelineId("0f8b6a0e3c554d5f9d3c2a1b00c0ffee"));
    byte[] written = name.encode();
    byte[] current = GoldenFile.ofCurrent("name", FileKind.NAME.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.NAME.oldestRead(); version <= FileKind.NAME.version(); version++) {
      assertEquals(name, StoredName.decode("name", GoldenFile.read("name", version)));
    }
  }

  @Test
  void layouts() throws IOException {
    StoredLayout layout = new StoredLayout(4, 2048);
    byte[] written = layout.encode();
    byte[] current = GoldenFile.ofCurrent("layout", FileKind.LAYOUT.version(), written);
    assertArrayEquals(current, written);
    for (int version = FileKind.LAYOUT.oldestRead();
        version <= FileKind.LAYOUT.version();
        version++) {
      assertEquals(layout, StoredLayout.decode("layout", GoldenFile.read("layout", version)));
    }
  }
}
