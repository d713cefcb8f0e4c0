package dev.varve.engine.postgres;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Histories of ancestors out of a descendant's. */
final class TimelineHistoryTest {
  private static final String SECOND = "1\t0/3000000\tno recovery target specified\n";
  private static final String FIFTH = SECOND + "\n2\t0/5000148\tat restore point \"caf\u00e9\"\n";
  private static final String SEVENTH = FIFTH + "\n5\t1/A0\tbefore transaction 712\n";

  @Test
  void anAncestorsFileIsTheBeginningOfItsDescendants() {
    assertEquals(Map.of(), ancestors(SECOND));
    assertEquals(Map.of(2, SECOND), ancestors(FIFTH));
    assertEquals(Map.of(2, SECOND, 5, FIFTH), ancestors(SEVENTH));
  }

  @Test
  void commentsAndMissingLinesAreNoAncestors() {
    assertEquals(Map.of(), ancestors("# edited by hand\n\n\n" + SECOND));
    assertEquals(Map.of(), ancestors(""));
    // The oldest TLI that it names has no file, whatever its number.
    assertEquals(Map.of(), ancestors("3\t0/3000000\tno recovery target specified\n"));
    assertEquals(Map.of(2, SECOND), ancestors(SECOND + "2 0/5000148 without a separator"));
  }

  @Test
  void isNamedInHexadecimal() {
    assertEquals("0000001F.history", TimelineHistory.fileName(31));
    assertEquals("FFFFFFFF.history", TimelineHistory.fileName(-1));
  }

  private static Map<Integer, String> ancestors(String file) {
    Map<Integer, String> found = new TreeMap<>();
    TimelineHistory.ancestors(file.getBytes(ISO_8859_1))
        .forEach((tli, bytes) -> found.put(tli, new String(bytes, ISO_8859_1)));
    return found;
  }
}
