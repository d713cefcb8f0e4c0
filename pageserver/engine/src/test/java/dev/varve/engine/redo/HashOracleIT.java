package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Hash index redo against real PostgreSQL: splits, chains of overflow pages, their squeezing,
 * deletion of items; in one session, in several at once, and with images of pages after
 * checkpoints.
 */
class HashOracleIT {
  /** Pages compared on each major: resource manager, info, block id. */
  private static final List<String> COMPARED =
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

  /** Pages taken from an image, by the same: what the record does to them is in the image. */
  private static final List<String> RESTORED =
      List.of("Hash/0x40/0", "Hash/0x50/0", "Hash/0x80/2", "Hash/0x90/1");

  @ParameterizedTest
  @CsvSource({"15, true", "16, false", "17, true", "18, false"})
  void agreesWithThePrimary(int number, boolean checksums) throws Exception {
    WalConsistencyHarness.Setup setup =
        new WalConsistencyHarness.Setup(PostgresMajor.of(number), checksums, Map.of());
    WalConsistencyHarness.Report report =
        WalConsistencyHarness.run(setup, Set.of(12), HashOracleIT::workload);
    assertEquals(0, report.mismatchCount(), () -> String.join("\n", report.mismatches()));
    for (String key : COMPARED) {
      assertTrue(
          report.checked().containsKey(key), () -> key + " was not reached: " + report.checked());
    }
    for (String key : RESTORED) {
      assertTrue(
          report.restored().containsKey(key),
          () -> key + " has no image that applies: " + report.restored());
    }
  }

  private static void workload(PostgresServer server) throws Exception {
    server.execute("postgres", IndexWorkloads.hash().toArray(String[]::new));
    server.execute(
        "postgres",
        "create table busy (id int, k int)",
        "insert into busy values (-1, -1)",
        "vacuum busy",
        "create index busy_id on busy using hash (id) with (fillfactor = 20)",
        "create index busy_k on busy using hash (k)");
    List<Callable<Void>> sessions = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      String[] statements = IndexWorkloads.busyHash(i).toArray(String[]::new);
      sessions.add(() -> {
        server.execute("postgres", statements);
        return null;
      });
    }
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Future<Void> done : executor.invokeAll(sessions)) {
        done.get();
      }
    }
    server.setting("full_page_writes", "on");
    server.restart();
    server.execute("postgres", IndexWorkloads.hashImages().toArray(String[]::new));
  }
}
