package dev.varve.engine.catalog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.PageserverException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Settings as a stored value. */
final class ClusterSettingsTest {
  private static final ClusterSettings SOME =
      new ClusterSettings(
          0x1_0203_0405L,
          new TreeMap<>(Map.of("TimeZone", "Europe/Berlin", "search_path", "", "lc_time", "ä")));

  @Test
  void theirBytes() {
    assertArrayEquals(
        "\5\4\3\2\1\0\0\0TimeZone\0Europe/Berlin\0search_path\0\0".getBytes(StandardCharsets.UTF_8),
        new ClusterSettings(
                0x1_0203_0405L,
                new TreeMap<>(Map.of("TimeZone", "Europe/Berlin", "search_path", "")))
            .encode());
  }

  @Test
  void comeBack() {
    assertEquals(SOME, ClusterSettings.decode(SOME.encode()));
    assertEquals(ClusterSettings.NONE, ClusterSettings.decode(ClusterSettings.NONE.encode()));
  }

  @Test
  void aValueThatEndsTooSoonIsDamage() {
    byte[] whole = SOME.encode();
    for (int length : new int[] {0, 7, 9, whole.length - 1}) {
      assertThrows(
          PageserverException.Corrupt.class,
          () -> ClusterSettings.decode(Arrays.copyOf(whole, length)),
          "" + length);
    }
    byte[] half = Arrays.copyOf(whole, 8 + "TimeZone\0".length());
    assertThrows(PageserverException.Corrupt.class, () -> ClusterSettings.decode(half));
  }

  @Test
  void noNameAndNoZeroByte() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new ClusterSettings(0, new TreeMap<>(Map.of("a", "b\0c"))));
    assertThrows(
        IllegalArgumentException.class,
        () -> new ClusterSettings(0, new TreeMap<>(Map.of("", ""))));
  }
}
