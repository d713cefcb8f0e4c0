package dev.varve.bench;

import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.PostgresServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * WAL ingest beside stock PostgreSQL's replay: the same base backup, the same bytes of WAL, in turn
 * in the same run.
 */
public final class IngestBench {
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
          RecordedLoad.record(scale, megabytes * 1_000_000L, home.resolve("backup"));
      long records = count(load);
      double bytes = load.wal().length / 1e6;
      System.out.printf(
          Locale.ROOT,
          "pgbench scale %d, %.0f MB of WAL, %d records of %.0f bytes%n",
          scale,
          bytes,
          records,
          bytes * 1e6 / records);
      EngineIngest.published(load);
      EngineIngest.inMemory(load);
      List<StockReplay> stock = new ArrayList<>();
      List<EngineIngest> published = new ArrayList<>();
      List<EngineIngest> inMemory = new ArrayList<>();
      for (int round = 1; round <= rounds; round++) {
        stock.add(StockReplay.run(load));
        published.add(EngineIngest.published(load));
        inMemory.add(EngineIngest.inMemory(load));
        System.out.println("round " + round);
        System.out.println("  " + stock.getLast());
        System.out.println("  with layers " + published.getLast());
        System.out.println("  in memory   " + inMemory.getLast());
      }
      double stockSeconds = median(stock, StockReplay::seconds);
      double stockCpu = median(stock, StockReplay::cpuSeconds);
      System.out.printf(
          Locale.ROOT,
          "%n%-44s %8s %8s %10s %10s %12s %7s %7s%n",
          "medians",
          "seconds",
          "cpu s",
          "MB/s",
          "records/s",
          "records/cpu s",
          "× time",
          "× cpu");
      Line line = new Line(bytes, records, stockSeconds, stockCpu);
      line.print("stock replay", stockSeconds, stockCpu);
      line.print(
          "ingest until readable, with layers",
          median(published, EngineIngest::seconds),
          median(published, EngineIngest::cpuSeconds));
      line.print(
          "ingest until published, with layers",
          median(published, EngineIngest::publishedSeconds),
          median(published, EngineIngest::publishedCpuSeconds));
      line.print(
          "ingest in memory",
          median(inMemory, EngineIngest::seconds),
          median(inMemory, EngineIngest::cpuSeconds));
      line.print(
          "ingest in memory and redo of every page",
          median(inMemory, e -> e.seconds() + e.redoSeconds()),
          median(inMemory, e -> e.cpuSeconds() + e.redoCpuSeconds()));
      line.print(
          "publish, and redo of every page from layers",
          median(published, e -> e.publishedSeconds() + e.redoSeconds()),
          median(published, e -> e.publishedCpuSeconds() + e.redoCpuSeconds()));
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private record Line(double megabytes, long records, double stockSeconds, double stockCpu) {
    void print(String what, double seconds, double cpu) {
      System.out.printf(
          Locale.ROOT,
          "%-44s %8.2f %8.2f %10.0f %10.0f %12.0f %7.2f %7.2f%n",
          what,
          seconds,
          cpu,
          megabytes / seconds,
          records / seconds,
          records / cpu,
          stockSeconds / seconds,
          stockCpu / cpu);
    }
  }

  private static <T> double median(List<T> rounds, ToDoubleFunction<T> value) {
    return Numbers.median(rounds.stream().mapToDouble(value).toArray());
  }

  private static long count(RecordedLoad load) {
    WalDecoder decoder =
        new WalDecoder(
            load.identity().major(),
            load.identity().walSegmentBytes(),
            load.identity().systemIdentifier());
    decoder.startAt(load.startLsn(), WalDecoder.UNKNOWN_PREV);
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
