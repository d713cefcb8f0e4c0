package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** BRIN and generic redo against real PostgreSQL; the extension bloom writes generic records. */
class BrinOracleIT {
  private static final List<String> REACHED =
      List.of(
          "BRIN/0x0/0",
          "BRIN/0x10/0",
          "BRIN/0x10/1",
          "BRIN/0x90/0",
          "BRIN/0x90/1",
          "BRIN/0x20/0",
          "BRIN/0x20/1",
          "BRIN/0x20/2",
          "BRIN/0xa0/0",
          "BRIN/0xa0/1",
          "BRIN/0xa0/2",
          "BRIN/0x30/0",
          "BRIN/0x40/0",
          "BRIN/0x40/1",
          "BRIN/0x50/0",
          "BRIN/0x50/1",
          "Generic/0x0/0",
          "Generic/0x0/1");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(17, 20), IndexWorkloads.brinAndGeneric());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
