package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Heap, sequence and image redo against real PostgreSQL. Each major runs the workload once at both
 * levels of WAL, with full-page writes and hint-bit logging off, then on; checksums and image
 * compression are spread over the majors.
 */
class HeapOracleIT {
  private static final Set<Integer> MANAGERS = Set.of(9, 10, 15);

  /** Pages compared on each major: resource manager, info, block id. */
  private static final List<String> COMPARED =
      List.of(
          "Heap/0x0/0",
          "Heap/0x10/0",
          "Heap/0x20/0",
          "Heap/0x20/1",
          "Heap/0x40/0",
          "Heap/0x50/0",
          "Heap/0x60/0",
          "Heap/0x70/0",
          "Heap/0x80/0",
          "Heap/0xa0/0",
          "Heap/0xa0/1",
          "Heap2/0x10/0",
          "Heap2/0x20/0",
          "Heap2/0x30/0",
          "Heap2/0x40/0",
          "Heap2/0x40/1",
          "Heap2/0x50/0",
          "Heap2/0x60/0",
          "Heap2/0xd0/0",
          "Sequence/0x0/0",
          "XLOG/0xa0/0");

  /** The same for pages of the visibility map that newer minors of 17 and 18 register. */
  private static final List<String> COMPARED_SINCE_17 =
      List.of(
          "Heap/0x0/1",
          "Heap/0x10/1",
          "Heap/0x20/2",
          "Heap/0x20/3",
          "Heap/0x40/3",
          "Heap/0x60/1",
          "Heap/0x80/1",
          "Heap2/0x50/1",
          "Heap2/0xd0/1");

  /** Records read on each major: resource manager, info, flag. */
  private static final List<String> READ =
      List.of(
          "Heap/0x0&0x1",
          "Heap/0x0&0x4",
          "Heap/0x10&0x1",
          "Heap/0x10&0x2",
          "Heap/0x10&0x4",
          "Heap/0x10&0x8",
          "Heap/0x10&0x10",
          "Heap/0x20&0x1",
          "Heap/0x20&0x2",
          "Heap/0x20&0x20",
          "Heap/0x20&0x40",
          "Heap/0x30",
          "Heap/0x40&0x1",
          "Heap/0x40&0x20",
          "Heap/0x40&0x40",
          "Heap/0x60&0x1",
          "Heap2/0x0",
          "Heap2/0x40&0x2",
          "Heap2/0x50&0x1",
          "Heap2/0x70",
          "Heap2/0xd0&0x20");

  /** The parts of a prune record; in 15 and 16 they have no flags. */
  private static final List<String> READ_SINCE_17 =
      List.of(
          "Heap2/0x10&0x20",
          "Heap2/0x10&0x40",
          "Heap2/0x10&0x80",
          "Heap2/0x20&0x10",
          "Heap2/0x20&0x20",
          "Heap2/0x20&0x40",
          "Heap2/0x20&0x80",
          "Heap2/0x30&0x80");

  @ParameterizedTest
  @CsvSource({
    "15, false, off, off",
    "16, true, off, pglz",
    "17, false, on, pglz",
    "18, true, off, off"
  })
  void agreesWithThePrimary(int number, boolean checksums, String compression) throws Exception {
    WalConsistencyHarness.Setup setup =
        new WalConsistencyHarness.Setup(
            PostgresMajor.of(number), checksums, Map.of("wal_compression", compression));
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(setup, MANAGERS, HeapOracleIT::workload);
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    assertReached(COMPARED, report.checked());
    assertReached(READ, report.records());
    if (number >= 17) {
      assertReached(COMPARED_SINCE_17, report.checked());
      assertReached(READ_SINCE_17, report.records());
    }
    assertReached(List.of("Heap/0x0/0", "Heap2/0x40/0", "XLOG/0xb0/0"), report.restored());
  }

  private static void assertReached(List<String> keys, Map<String, Integer> counts) {
    for (String key : keys) {
      assertTrue(counts.containsKey(key), () -> key + " was not reached: " + counts);
    }
  }

  private static void workload(PostgresServer server) throws Exception {
    HeapWorkload.replica(server);
    server.setting("wal_level", "logical");
    server.restart();
    HeapWorkload.logical(server);
    server.setting("wal_log_hints", "on");
    server.restart();
    WalConsistencyHarness.fullPageWrites(server, "on");
    HeapWorkload.images(server);
  }
}
