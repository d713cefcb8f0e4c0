package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * B-tree redo against real PostgreSQL: splits of all levels, posting lists, deletion of items and
 * pages.
 */
class BtreeOracleIT {
  private static final List<String> REACHED =
      List.of(
          "Btree/0x0/0",
          "Btree/0x10/0",
          "Btree/0x10/1",
          "Btree/0x30/0",
          "Btree/0x30/1",
          "Btree/0x30/2",
          "Btree/0x30/3",
          "Btree/0x40/0",
          "Btree/0x40/1",
          "Btree/0x40/2",
          "Btree/0x40/3",
          "Btree/0x50/0",
          "Btree/0x60/0",
          "Btree/0x70/0",
          "Btree/0x80/0",
          "Btree/0x80/1",
          "Btree/0x80/2",
          "Btree/0xa0/0",
          "Btree/0xa0/1",
          "Btree/0xa0/2",
          "Btree/0xb0/0",
          "Btree/0xb0/1",
          "Btree/0xc0/0",
          "Btree/0xe0/0");

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void agreesWithThePrimary(PostgresMajor major) throws Exception {
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(major, Set.of(11), IndexWorkloads.btree());
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : REACHED) {
      assertTrue(report.count(key) > 0, () -> key + " was not reached: " + report.checked());
    }
  }
}
