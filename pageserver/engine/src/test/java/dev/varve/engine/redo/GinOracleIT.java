package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** GIN redo against real PostgreSQL: entry trees, posting trees, the pending list, vacuum. */
class GinOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Gin/0x10/0",
          "Gin/0x20/0",
          "Gin/0x20/1",
          "Gin/0x30/3",
          "Gin/0x50/0",
          "Gin/0x50/1",
          "Gin/0x50/2",
          "Gin/0x60/0",
          "Gin/0x60/1",
          "Gin/0x70/0",
          "Gin/0x80/0",
          "Gin/0x80/1",
          "Gin/0x90/0");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(13), IndexWorkloads.gin());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
