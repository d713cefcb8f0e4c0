package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.check.CheckedStore;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalFiles;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.Amcheck;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Stock PostgreSQL starts from images at the LSNs where the generated checkpoint record is laid out
 * differently, each in the middle of load. Transactions of pgbench move the same amount in four
 * tables, so that their sums are equal at every LSN, and at no half of a transaction.
 */
final class ImageShapesIT {
  private static final int SEGMENT = 1 << 20;
  private static final int PAGE = 8192;
  private static final int CHECKPOINT_RECORD = 114;
  private static final int LONGEST_HEADER = 40;

  private enum Shape {
    /** In the middle of a page that begins with the rest of a record. */
    BEHIND_A_CONTINUED_RECORD,
    /** So close to a page's end that the checkpoint record itself is split. */
    SPLIT_RECORD,
    PAGE_BOUNDARY,
    SEGMENT_START
  }

  @ParameterizedTest
  @ValueSource(ints = {17, 18})
  void startsAtEachShapeOfAnLsn(int major, @TempDir Path directory) throws Exception {
    Path copy = PostgresServer.temporaryDirectory();
    try (PostgresServer primary =
            PostgresServer.builder(major)
                .checksums(true)
                .initdbArgument("--wal-segsize=1")
                .setting("full_page_writes", "off")
                .setting("wal_keep_size", "1GB")
                .start();
        CheckedStore store = new CheckedStore(new LocalObjectStore(directory.resolve("store")));
        Tenants tenants =
            new Tenants(
                store, directory.resolve("cache"), EngineOptions.defaults(), System::nanoTime)) {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      PrimaryFeed feed = new PrimaryFeed(primary);
      Timeline timeline = tenants.attach(new TimelineName("acme", "main"), 0);
      feed.importBackup(timeline, copy, () -> {});
      feed.catchUp(timeline);
      long first = timeline.receivedLsn();
      load.run(2, major, done -> done >= 500);
      primary.execute("postgres", "select pg_switch_wal()");
      load.run(2, major + 1, done -> done >= 500);
      feed.catchUp(timeline);
      Map<Shape, Long> lsns = shapes(primary, first, timeline.receivedLsn());
      for (Shape shape : Shape.values()) {
        Long lsn = lsns.get(shape);
        assertNotNull(lsn, "no " + shape);
        check(major, timeline, lsn, shape);
      }
    } finally {
      PostgresServer.deleteTree(copy);
    }
  }

  /** An LSN of each shape at which a record ends. */
  private static Map<Shape, Long> shapes(PostgresServer primary, long from, long to) {
    Map<Shape, Long> found = new EnumMap<>(Shape.class);
    byte[] wal =
        new WalFiles(primary.dataDirectory().resolve("pg_wal"), SEGMENT)
            .read(from - from % SEGMENT, to);
    WalDecoder decoder = new WalDecoder(PostgresMajor.of(primary.major()), SEGMENT, 0);
    long base = from - from % SEGMENT;
    decoder.startInside(base);
    decoder.feed(base, wal, 0, wal.length);
    WalRecord record = new WalRecord();
    long pageOfLongRecord = -1;
    while (decoder.next(record)) {
      long end = decoder.nextLsn(); // behind a segment switch the start of the next segment
      if (end <= from) {
        continue;
      }
      if (record.startLsn / PAGE != end / PAGE) {
        pageOfLongRecord = end / PAGE;
      }
      int inPage = (int) (end % PAGE);
      if (end % SEGMENT == 0) {
        found.put(Shape.SEGMENT_START, end);
      } else if (inPage == 0) {
        found.put(Shape.PAGE_BOUNDARY, end);
      } else if (inPage > PAGE - CHECKPOINT_RECORD) {
        found.put(Shape.SPLIT_RECORD, end);
      } else if (inPage > LONGEST_HEADER && pageOfLongRecord == end / PAGE) {
        found.put(Shape.BEHIND_A_CONTINUED_RECORD, end);
      }
    }
    return found;
  }

  private static void check(int major, Timeline timeline, long lsn, Shape shape) throws Exception {
    String where = shape + " " + Lsn.format(lsn);
    Path data = PostgresServer.temporaryDirectory();
    try {
      EagerLayout.layOut(timeline, lsn, data);
      try (PostgresServer compute =
          PostgresServer.builder(major)
              .setting("full_page_writes", "off")
              .setting("summarize_wal", "on")
              .on(data)) {
        compute.start();
        assertEquals(
            "1",
            compute.query(
                "postgres",
                "select count(distinct total) from (select sum(abalance) as total from pgbench_accounts"
                    + " union all select sum(tbalance) from pgbench_tellers"
                    + " union all select sum(bbalance) from pgbench_branches"
                    + " union all select sum(delta) from pgbench_history) as sums"),
            where);
        assertEquals(List.of(), Amcheck.complaints(compute), where);
        compute.execute("postgres", "create table written as select 1 as i", "checkpoint");
        awaitSummary(compute, lsn);
        compute.restart();
        assertEquals("1", compute.query("postgres", "select i from written"), where);
        assertTrue(
            compute.log().lines().noneMatch(line -> line.matches(".*(WARNING|ERROR|PANIC):.*")),
            () -> where + "\n" + compute.log());
      }
    } finally {
      PostgresServer.deleteTree(data);
    }
  }

  /** The summarizer gets on from where the image begins, and says nothing of what was before. */
  private static void awaitSummary(PostgresServer compute, long lsn) throws Exception {
    String from = "'" + Lsn.format(lsn) + "'";
    String beyond =
        "select exists (select from pg_available_wal_summaries() where end_lsn > "
            + from
            + "::pg_lsn + 100)";
    while (compute.query("postgres", beyond).equals("f")) {
      assertTrue(compute.isRunning());
      assertTrue(compute.log().lines().noneMatch(line -> line.contains("ERROR:")), compute::log);
      Thread.onSpinWait();
    }
    assertEquals(
        "0",
        compute.query(
            "postgres",
            "select count(*) from pg_available_wal_summaries() w,"
                + " lateral pg_wal_summary_contents(w.tli, w.start_lsn, w.end_lsn)"
                + " where w.end_lsn <= "
                + from));
  }
}
