package dev.varve.operator.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** docs/operations/conditions.md has one line for each reason of each condition, and no other. */
final class ConditionsDocumentTest {
  private static final Path DOCUMENT = Path.of("../docs/operations/conditions.md");

  @Test
  void documentSaysWhatTheOperatorSays() throws IOException {
    Map<String, Set<String>> wanted = new TreeMap<>();
    for (Reason.Kind kind : Reason.Kind.values()) {
      wanted.put(
          heading(kind),
          Arrays.stream(Reason.values())
              .filter(reason -> reason.isOf(kind))
              .map(Reason::name)
              .collect(Collectors.toCollection(TreeSet::new)));
    }
    Map<String, Set<String>> documented = new TreeMap<>();
    String section = "";
    for (String line : Files.readAllLines(DOCUMENT)) {
      if (line.startsWith("## ")) {
        section = line;
      } else if (wanted.containsKey(section) && line.startsWith("| `")) {
        String[] cells = line.split(" *\\| *", -1);
        assertFalse(cells[2].isBlank(), () -> line + " says nothing");
        documented.computeIfAbsent(section, key -> new TreeSet<>()).add(cells[1].replace("`", ""));
      }
    }
    assertEquals(wanted, documented);
  }

  private static String heading(Reason.Kind kind) {
    return "## " + kind.resource() + ", `" + kind.type() + "`";
  }
}
