package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Hash index redo against real PostgreSQL: splits, chains of overflow pages, their squeezing,
 * deletion of items.
 */
class HashOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Hash/0x0/0",
          "Hash/0x10/0",
          "Hash/0x10/1",
          "Hash/0x20/0",
          "Hash/0x20/1",
          "Hash/0x30/0",
          "Hash/0x30/1",
          "Hash/0x30/2",
          "Hash/0x30/4",
          "Hash/0x40/0",
          "Hash/0x40/1",
          "Hash/0x40/2",
          "Hash/0x60/0",
          "Hash/0x60/1",
          "Hash/0x70/0",
          "Hash/0x70/1",
          "Hash/0x70/2",
          "Hash/0x80/0",
          "Hash/0x80/1",
          "Hash/0x80/2",
          "Hash/0x80/3",
          "Hash/0x80/5",
          "Hash/0x80/6",
          "Hash/0x90/0",
          "Hash/0x90/1",
          "Hash/0xa0/0",
          "Hash/0xb0/0",
          "Hash/0xc0/0",
          "Hash/0xc0/1");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(12), IndexWorkloads.hash());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
