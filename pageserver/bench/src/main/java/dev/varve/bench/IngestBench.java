package dev.varve.bench;

import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * WAL ingest beside stock PostgreSQL's replay: the same base backup, the same bytes of WAL, in turn
 * in the same run.
 */
public final class IngestBench {
  private static final int WARM_UPS = 6;

  private IngestBench() {}

  /** Options: {@code --scale} of pgbench, {@code --megabytes} of WAL, {@code --rounds}. */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int scale = arguments.get("scale", 10);
    int megabytes = arguments.get("megabytes", 256);
    int rounds = arguments.get("rounds", 3);
    arguments.done();
    Path home = PostgresServer.temporaryDirectory();
    try {
      RecordedLoad load =
          RecordedLoad.record(
              Workload.TRANSACTIONS, scale, megabytes * 1_000_000L, false, home.resolve("backup"));
      long records = count(load);
      double bytes = load.wal().length / 1e6;
      System.out.printf(
          Locale.ROOT,
          "pgbench scale %d, %.0f MB of WAL, %d records of %.0f bytes%n",
          scale,
          bytes,
          records,
          bytes * 1e6 / records);
      warmUp(load);
      List<Cost> stock = new ArrayList<>();
      List<Cost> direct = new ArrayList<>();
      List<EngineIngest> published = new ArrayList<>();
      List<EngineIngest> inMemory = new ArrayList<>();
      for (int round = 1; round <= rounds; round++) {
        stock.add(StockReplay.run(load));
        try (ReplayedPages pages = new ReplayedPages(load.backup())) {
          direct.add(DirectReplay.run(load, pages));
        }
        published.add(EngineIngest.published(load));
        inMemory.add(EngineIngest.inMemory(load));
        System.out.println("round " + round);
        System.out.println("  stock       " + stock.getLast());
        System.out.println("  direct      " + direct.getLast());
        System.out.println("  with layers " + published.getLast());
        System.out.println("  in memory   " + inMemory.getLast());
      }
      System.out.printf(
          Locale.ROOT,
          "%n%-44s %8s %8s %8s %8s %12s %12s %7s %7s %9s%n",
          "medians",
          "seconds",
          "cpu s",
          "thread s",
          "MB/s",
          "records/s",
          "records/cpu s",
          "× time",
          "× cpu",
          "× thread");
      Table table = new Table(bytes, records, Cost.median(stock));
      table.print("stock replay", Cost.median(stock));
      table.print("decoding and redo in place", Cost.median(direct));
      table.print("ingest until readable, with layers", median(published, EngineIngest::received));
      table.print(
          "ingest until published, with layers", median(published, EngineIngest::published));
      table.print("ingest in memory", median(inMemory, EngineIngest::received));
      table.print(
          "ingest in memory and redo of every page",
          median(inMemory, e -> e.received().plus(e.redo())));
      table.print(
          "publish, and redo of every page from layers",
          median(published, e -> e.published().plus(e.redo())));
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  /** Runs everything but the rival, and checks that both ways of redo make the same pages. */
  private static void warmUp(RecordedLoad load) throws Exception {
    for (int i = 0; i < WARM_UPS; i++) {
      try (ReplayedPages pages = new ReplayedPages(load.backup())) {
        DirectReplay.run(load, pages);
        EngineIngest.inMemory(load, pages);
      }
    }
    EngineIngest.published(load);
  }

  private record Table(double megabytes, long records, Cost stock) {
    void print(String what, Cost cost) {
      System.out.printf(
          Locale.ROOT,
          "%-44s %8.2f %8.2f %8.2f %8.0f %12.0f %12.0f %7.2f %7.2f %9.2f%n",
          what,
          cost.seconds(),
          cost.cpuSeconds(),
          cost.threadCpuSeconds(),
          megabytes / cost.seconds(),
          records / cost.seconds(),
          records / cost.cpuSeconds(),
          stock.seconds() / cost.seconds(),
          stock.cpuSeconds() / cost.cpuSeconds(),
          stock.cpuSeconds() / cost.threadCpuSeconds());
    }
  }

  private static Cost median(List<EngineIngest> rounds, Function<EngineIngest, Cost> cost) {
    return Cost.median(rounds.stream().map(cost).toList());
  }

  private static long count(RecordedLoad load) {
    WalDecoder decoder = load.decoder();
    int first = (int) (load.startLsn() - load.segmentLsn());
    decoder.feed(load.startLsn(), load.wal(), first, load.wal().length - first);
    WalRecord record = new WalRecord();
    long records = 0;
    while (decoder.next(record)) {
      records++;
    }
    return records;
  }
}
