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
 * {@code docs/fidelity.md} is what {@code opcodes.txt} says, up to the part that {@code
 * deploy/local/zoo} writes; {@code -Dfidelity.write=true} writes it and keeps that part.
 */
class FidelityTest {
  private static final Path DOCUMENT = Path.of("..", "..", "docs", "fidelity.md");

  /** Where the zoo's part begins. */
  private static final String OTHER_PART = "\n# Clusters of many shapes\n";

  @Test
  void theDocumentIsTheTables() throws IOException {
    String document = Files.readString(DOCUMENT);
    int end = document.indexOf(OTHER_PART);
    String tables = end < 0 ? document : document.substring(0, end);
    if (Boolean.getBoolean("fidelity.write")) {
      Files.writeString(DOCUMENT, OpcodeTable.render() + document.substring(tables.length()));
      return;
    }
    assertEquals(OpcodeTable.render(), tables);
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
