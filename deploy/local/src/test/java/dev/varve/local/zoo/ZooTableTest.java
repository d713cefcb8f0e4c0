package dev.varve.local.zoo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ZooTableTest {
  private static final String EQUAL = " = |".repeat(Comparison.values().length);

  @TempDir Path directory;

  @Test
  void linesOfAnimalsThatWereNotVisitedStay() throws Exception {
    Path document = Files.writeString(directory.resolve("fidelity.md"), "# Other part\n");
    ZooTable.write(document, List.of(visit("plain", 16), visit("checksums", 16)));
    ZooTable.write(document, List.of(visit("plain", 17)));
    assertEquals(0, Files.readString(document).indexOf("# Other part\n\n" + ZooTable.HEADING));
    assertEquals(
        List.of("| plain: as `initdb` makes it | 17 |" + EQUAL, "| checksums: `-k` | 16 |" + EQUAL),
        lines(document));
  }

  @Test
  void linesWithOtherColumnsGo() throws Exception {
    Path document =
        Files.writeString(
            directory.resolve("fidelity.md"),
            "\n" + ZooTable.HEADING + "| plain: as `initdb` makes it | 16 |" + EQUAL + " = |\n");
    ZooTable.write(document, List.of(visit("checksums", 17)));
    assertEquals(List.of("| checksums: `-k` | 17 |" + EQUAL), lines(document));
  }

  /** The table's lines of animals whose copies are equal. */
  private static List<String> lines(Path document) throws IOException {
    return Files.readString(document)
        .lines()
        .filter(line -> line.contains(": ") && line.endsWith("= |"))
        .toList();
  }

  private static Visit visit(String animal, int major) throws InterruptedException {
    Visit visit = new Visit(Zoo.animals(List.of(animal)).getFirst(), major);
    for (Comparison comparison : Comparison.values()) {
      visit.compare(comparison, List::of);
    }
    return visit;
  }
}
