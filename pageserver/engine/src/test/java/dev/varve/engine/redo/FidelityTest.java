package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/fidelity.md} is what {@code opcodes.txt} says; {@code -Dfidelity.write=true} writes
 * it.
 */
class FidelityTest {
  private static final Path DOCUMENT = Path.of("..", "..", "docs", "fidelity.md");

  @Test
  void theDocumentIsTheTables() throws IOException {
    if (Boolean.getBoolean("fidelity.write")) {
      Files.writeString(DOCUMENT, OpcodeTable.render());
    }
    assertEquals(OpcodeTable.render(), Files.readString(DOCUMENT));
  }

  @Test
  void everyRowIsOneKindOfRecordAndEveryGapHasAReason() throws IOException {
    Set<String> keys = new HashSet<>();
    for (OpcodeTable.Row row : OpcodeTable.rows()) {
      assertTrue(keys.add(row.key()), row.key() + " twice");
      for (String cell : row.cells()) {
        assertTrue(cell.matches("image|read|-|\\d+( \\d+)*"), row.key() + ": " + cell);
      }
      if (row.cells().contains(OpcodeTable.NONE)) {
        assertFalse(row.note().isEmpty(), row.key() + " is not reached, without a reason");
      }
    }
  }
}
