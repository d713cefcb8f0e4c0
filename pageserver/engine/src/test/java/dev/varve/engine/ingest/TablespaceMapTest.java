package dev.varve.engine.ingest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.PageserverException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The lines of a tablespace map, with all that a location may hold. */
final class TablespaceMapTest {
  @Test
  void locationsMayHoldAnything() {
    Map<Integer, String> map =
        TablespaceMap.parse(
            "16384 /srv/with blank\n4294967295 /a\\\nb\\\\c\\\rd\n16385 /"
                + "e".repeat(900)
                + "\n");
    assertEquals(List.of(16384, -1, 16385), List.copyOf(map.keySet()));
    assertEquals("/srv/with blank", map.get(16384));
    assertEquals("/a\nb\\c\rd", map.get(-1));
    assertEquals("/" + "e".repeat(900), map.get(16385));
    assertEquals(Map.of(), TablespaceMap.parse(""));
  }

  @Test
  void whatIsNoLineIsRefused() {
    for (String text : new String[] {"nonsense\n", "x /a\n", "16384 /a\\", " /a\n"}) {
      assertThrows(PageserverException.Corrupt.class, () -> TablespaceMap.parse(text), text);
    }
  }
}
