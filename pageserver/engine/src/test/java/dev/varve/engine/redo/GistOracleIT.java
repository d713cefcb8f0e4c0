package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * GiST redo against real PostgreSQL: splits of all levels, deletion of items and pages, pages used
 * again. The check does not see node sequence numbers, nor the two flags FOLLOW_RIGHT and
 * TUPLES_DELETED: a comparison with a standby does.
 */
class GistOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Gist/0x0/0",
          "Gist/0x0/1",
          "Gist/0x10/0",
          "Gist/0x20",
          "Gist/0x30/0",
          "Gist/0x30/1",
          "Gist/0x30/2",
          "Gist/0x30/3",
          "Gist/0x60/0",
          "Gist/0x60/1");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(14), IndexWorkloads.gist());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
