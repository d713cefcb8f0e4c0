package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The oracle tests, which run before it, reached what {@code docs/fidelity.md} claims, and nothing
 * that it does not know. Resource managers whose oracle did not run are left out, but not in CI.
 */
@Isolated("behind all others")
class FidelityIT {
  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void whatIsClaimedIsReached(PostgresMajor major) throws Exception {
    Set<String> ran = OracleCoverage.managers(major);
    List<OpcodeTable.Row> rows = OpcodeTable.rows();
    Map<String, Long> reached = OracleCoverage.of(major);
    if ("true".equals(System.getenv("CI"))) {
      ran = rows.stream().map(OpcodeTable.Row::manager).collect(Collectors.toSet());
    } else {
      assumeTrue(!ran.isEmpty(), "no oracle test ran before");
    }
    List<String> wrong = new ArrayList<>();
    for (OpcodeTable.Row row : rows) {
      if (!ran.contains(row.manager())) {
        continue;
      }
      for (String key : claims(row, major)) {
        if (!reached.containsKey(key)) {
          wrong.add(key + " is claimed and not reached");
        }
      }
    }
    Set<String> known = rows.stream().map(OpcodeTable.Row::key).collect(Collectors.toSet());
    Set<String> managers = rows.stream().map(OpcodeTable.Row::manager).collect(Collectors.toSet());
    for (String key : reached.keySet()) {
      String record = key.substring(key.indexOf(' ') + 1);
      if (key.startsWith("READ ")
          && record.indexOf('&') < 0
          && managers.contains(record.substring(0, record.indexOf('/')))
          && !known.contains(record)) {
        wrong.add(record + " is reached and not in the table");
      }
    }
    if (ran.containsAll(managers)) {
      long pages = 0;
      for (Map.Entry<String, Long> count : reached.entrySet()) {
        pages += count.getKey().startsWith("COMPARED ") ? count.getValue() : 0;
      }
      if (pages < OpcodeTable.LEAST_PAGES) {
        wrong.add("only " + pages + " pages were compared");
      }
    }
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
  }

  private static Set<String> claims(OpcodeTable.Row row, PostgresMajor major) {
    Set<String> claims = new TreeSet<>();
    String cell = row.cell(major);
    switch (cell) {
      case OpcodeTable.NONE -> {
        // Nothing is claimed.
      }
      case OpcodeTable.READ -> claims.add("READ " + row.key());
      case OpcodeTable.IMAGE -> claims.add("RESTORED " + row.key() + "/0");
      default -> {
        for (String block : cell.split(" ", -1)) {
          claims.add("COMPARED " + row.key() + "/" + block);
        }
      }
    }
    return claims;
  }
}
