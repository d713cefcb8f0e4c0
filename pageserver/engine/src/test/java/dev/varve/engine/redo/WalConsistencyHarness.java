package dev.varve.engine.redo;

import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Runs a workload on a real server with {@code wal_consistency_checking=all}, which puts the
 * primary's page behind every change into the WAL, redoes the WAL from the slim form of each record
 * and compares every page so made ({@link PageReplay}).
 */
final class WalConsistencyHarness {
  /**
   * What was compared.
   *
   * @param checked pages compared, by {@code Btree/0x30/1}: resource manager, info, block id
   * @param restored pages taken from an image that applies, by the same
   * @param records records read, by {@code Btree/0x30}; those of heap with a flag also by {@code
   *     Heap/0x10&0x8}
   * @param mismatches the first ones, for people
   */
  record Report(
      Map<String, Integer> checked,
      Map<String, Integer> restored,
      Map<String, Integer> records,
      List<String> mismatches,
      int mismatchCount) {
    /** Pages compared, by a key with a block id, or records read, by one without. */
    int count(String key) {
      return checked.getOrDefault(key, records.getOrDefault(key, 0));
    }

    /** Both together. */
    Report plus(Report other) {
      return new Report(
          sum(checked, other.checked),
          sum(restored, other.restored),
          sum(records, other.records),
          Stream.concat(mismatches.stream(), other.mismatches.stream()).toList(),
          mismatchCount + other.mismatchCount);
    }

    private static Map<String, Integer> sum(Map<String, Integer> one, Map<String, Integer> other) {
      Map<String, Integer> sum = new TreeMap<>(one);
      other.forEach((key, count) -> sum.merge(key, count, Integer::sum));
      return sum;
    }

    /** The same, its mismatches headed by where they come from. */
    Report of(String origin) {
      return new Report(
          checked,
          restored,
          records,
          Stream.concat(Stream.of(origin), mismatches.stream()).toList(),
          mismatchCount);
    }

    /** Pages compared. */
    long pages() {
      return checked.values().stream().mapToLong(Integer::longValue).sum();
    }

    /** Records of all resource managers. */
    long recordCount() {
      return records.entrySet().stream()
          .filter(entry -> entry.getKey().indexOf('&') < 0)
          .mapToLong(Map.Entry::getValue)
          .sum();
    }
  }

  /** What is done on the server, which may be reconfigured and restarted meanwhile. */
  interface Workload {
    void run(PostgresServer server) throws Exception;
  }

  /**
   * A cluster.
   *
   * @param settings beside what the harness sets itself; they may override it
   */
  record Setup(PostgresMajor major, boolean checksums, Map<String, String> settings) {}

  private static final int SEGMENT_SIZE = 16 << 20;

  private WalConsistencyHarness() {}

  /**
   * Runs the statements on a server of this major; only records of {@code rmids} are redone and
   * compared.
   */
  static Report run(PostgresMajor major, Set<Integer> rmids, List<String> statements)
      throws Exception {
    return run(
        new Setup(major, false, Map.of()),
        rmids,
        server -> server.execute("postgres", statements.toArray(String[]::new)));
  }

  /** The same with a workload of any kind, followed by the rounds of {@link OracleRounds}. */
  static Report run(Setup setup, Set<Integer> rmids, Workload workload) throws Exception {
    Report report = once(setup, rmids, workload);
    for (long seed : OracleRounds.seeds()) {
      if (report.mismatchCount() > 0) {
        break;
      }
      report = report.plus(random(setup.major(), rmids, seed));
    }
    OracleCoverage.record(setup.major(), rmids, report);
    return report;
  }

  private static Report random(PostgresMajor major, Set<Integer> rmids, long seed)
      throws Exception {
    Random random = new Random(seed);
    Setup setup =
        new Setup(
            major,
            random.nextBoolean(),
            Map.of(
                "wal_level", random.nextBoolean() ? "logical" : "replica",
                "wal_compression", random.nextBoolean() ? "pglz" : "off"));
    String fullPageWrites = random.nextBoolean() ? "on" : "off";
    Report report =
        once(
            setup,
            rmids,
            server -> {
              fullPageWrites(server, fullPageWrites);
              new RandomWorkload(seed, rmids).run(server, OracleRounds.STEPS);
            });
    System.out.println(
        "PostgreSQL "
            + major.number()
            + ", seed "
            + seed
            + ": "
            + report.recordCount()
            + " records, "
            + report.pages()
            + " pages compared");
    return report.mismatchCount() == 0 ? report : report.of("-Doracle.seed=" + seed);
  }

  private static Report once(Setup setup, Set<Integer> rmids, Workload workload) throws Exception {
    PostgresServer.Builder builder =
        PostgresServer.builder(setup.major().number())
            .checksums(setup.checksums())
            .setting("wal_consistency_checking", "all")
            .setting("autovacuum", "off")
            .setting("wal_keep_size", "16GB")
            .setting("max_wal_size", "16GB")
            .setting("checkpoint_timeout", "1h")
            .setting("synchronous_commit", "off");
    setup.settings().forEach(builder::setting);
    try (PostgresServer server = builder.start()) {
      fullPageWrites(server, "off");
      server.execute("postgres", "select pg_switch_wal()");
      long startLsn =
          Lsn.parse(server.query("postgres", "select pg_current_wal_insert_lsn()")) & -SEGMENT_SIZE;
      workload.run(server);
      server.execute("postgres", "checkpoint");
      long endLsn = Lsn.parse(server.currentLsn());
      PageReplay replay =
          new PageReplay(
              setup.major(),
              setup.checksums(),
              "on".equals(setup.settings().get("wal_log_hints")),
              rmids);
      read(setup.major(), server.dataDirectory().resolve("pg_wal"), startLsn, endLsn, replay);
      return replay.report();
    }
  }

  /** Switches full-page writes; returns when they are. */
  static void fullPageWrites(PostgresServer server, String onOrOff) throws SQLException {
    server.execute(
        "postgres", "alter system set full_page_writes = " + onOrOff, "select pg_reload_conf()");
    do {
      // The checkpointer reads the configuration when it gets to it.
      server.execute("postgres", "checkpoint");
    } while (!server
        .query("postgres", "select full_page_writes from pg_control_checkpoint()")
        .equals("on".equals(onOrOff) ? "t" : "f"));
  }

  private static void read(
      PostgresMajor major, Path directory, long startLsn, long endLsn, PageReplay replay)
      throws IOException {
    WalDecoder decoder = new WalDecoder(major, SEGMENT_SIZE, 0);
    decoder.startInside(startLsn);
    WalRecord record = new WalRecord();
    for (long lsn = startLsn; lsn < endLsn; lsn += SEGMENT_SIZE) {
      long segment = lsn / SEGMENT_SIZE;
      String name = String.format("%08X%08X%08X", 1, segment / 256, segment % 256);
      byte[] bytes = Files.readAllBytes(directory.resolve(name));
      decoder.feed(lsn, bytes, 0, (int) Math.min(SEGMENT_SIZE, endLsn - lsn));
      while (decoder.next(record)) {
        replay.replay(record);
      }
    }
  }
}
