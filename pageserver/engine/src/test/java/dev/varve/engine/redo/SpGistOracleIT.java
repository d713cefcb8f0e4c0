package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** SP-GiST redo against real PostgreSQL: radix, quad and k-d trees, null trees, vacuum. */
class SpGistOracleIT {
  private static final List<String> REACHED =
      List.of(
          "SPGist/0x10/0",
          "SPGist/0x10/1",
          "SPGist/0x20/0",
          "SPGist/0x20/1",
          "SPGist/0x20/2",
          "SPGist/0x30/0",
          "SPGist/0x30/1",
          "SPGist/0x30/2",
          "SPGist/0x40/0",
          "SPGist/0x40/1",
          "SPGist/0x50/0",
          "SPGist/0x50/1",
          "SPGist/0x50/2",
          "SPGist/0x50/3",
          "SPGist/0x60/0",
          "SPGist/0x70/0",
          "SPGist/0x80/0");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(16), IndexWorkloads.spgist());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
