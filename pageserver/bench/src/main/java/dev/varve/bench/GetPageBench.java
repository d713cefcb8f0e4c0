package dev.varve.bench;

import dev.varve.compute.page.RelationFork;
import dev.varve.engine.postgres.Lsn;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * How long a page takes over loopback gRPC from a pageserver that a primary with pgbench data
 * feeds, beside reading the same blocks from stock PostgreSQL over JDBC. Clients are the agent's.
 * The lines are told in docs/performance.md.
 */
public final class GetPageBench {
  private static final int HOT_PAGES = 1000;
  private static final int RUN_PAGES = 128;
  private static final int[] CLIENTS = {1, 8};

  /** Until the JIT compilers have little left to do. */
  private static final int WARM_UP_READS = 100_000;

  private static final String ECHO = "gRPC alone";
  private static final String HOT = "hot";
  private static final String RUNS = "hot, runs of 128";
  private static final String FIRST = "first";
  private static final String RESTARTED = "restarted";
  private static final String QUIET = "hot, small layers";
  private static final String COMPACTING = "hot, compacting";
  private static final String STOCK = "stock over JDBC";

  private final PostgresServer primary;
  private final int scale;
  private final RelationFork relation;
  private final String file;
  private final int blocks;
  private final int reads;
  private final List<ReadTimes> measured = new ArrayList<>();

  private GetPageBench(PostgresServer primary, int scale, int reads) throws Exception {
    this.primary = primary;
    this.scale = scale;
    this.reads = reads;
    file = primary.query("postgres", "select pg_relation_filepath('pgbench_accounts')");
    Path path = Path.of(file);
    relation =
        new RelationFork(
            1663,
            Integer.parseInt(path.getName(1).toString()),
            Integer.parseInt(path.getName(2).toString()),
            0);
    blocks =
        Integer.parseInt(primary.query("postgres", "select pg_relation_size('pgbench_accounts')"))
            / 8192;
  }

  /**
   * Options: {@code --scale} of pgbench, {@code --reads} for each measurement, {@code --rounds}.
   */
  public static void main(String[] args) throws Exception {
    Arguments arguments = new Arguments(args);
    int scale = arguments.get("scale", 10);
    int reads = arguments.get("reads", 20_000);
    int rounds = arguments.get("rounds", 3);
    arguments.done();
    System.out.println("processors that have nothing to do: " + idleProcessors());
    Path home = PostgresServer.temporaryDirectory();
    try (PostgresServer primary =
        PostgresServer.builder(17)
            .setting("full_page_writes", "off")
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "16GB")
            .setting("synchronous_commit", "off")
            .setting("autovacuum", "off")
            .start()) {
      new TpcB(primary, scale).initialize();
      GetPageBench bench = new GetPageBench(primary, scale, reads);
      System.out.printf("pgbench scale %d, %d blocks of accounts%n", scale, bench.blocks);
      bench.rounds(home.resolve("default"), rounds);
      bench.compacting(home.resolve("compacting"), rounds);
      bench.print();
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  /** Whether one polls before it halts: most of what a lone reader waits for on a VM. */
  private static String idleProcessors() throws IOException {
    Path setting = Path.of("/sys/module/haltpoll/parameters/guest_halt_poll_ns");
    return Files.exists(setting)
        ? "guest_halt_poll_ns " + Files.readString(setting).strip()
        : "no haltpoll";
  }

  /** With its files in {@code home}, and again in the same place after it was closed. */
  private static PageserverProcess start(Path home, Map<String, String> settings)
      throws IOException, InterruptedException {
    return PageserverProcess.start(
        Path.of(System.getProperty("varve.root", ".")),
        "directory:" + home.resolve("objects"),
        home.resolve("pageserver"),
        home.resolve("pageserver.log"),
        new PageserverProcess.Place(FreePort.any(), FreePort.any(), ""),
        settings);
  }

  private void attach(PageserverProcess pageserver) throws InterruptedException {
    pageserver.attach(primary.port());
    pageserver.awaitAttached();
  }

  private void rounds(Path home, int rounds) throws Exception {
    Files.createDirectories(home);
    PageserverProcess pageserver = start(home, Map.of());
    try (EchoServer echo = EchoServer.start()) {
      attach(pageserver);
      round(pageserver, echo, 8);
      read(ECHO, echo.address(), echo::cpu, 0, hotOrder(WARM_UP_READS, 8), 1);
      warmUp(pageserver);
      measured.clear();
      for (int round = 1; round <= rounds; round++) {
        for (int clients : CLIENTS) {
          round(pageserver, echo, clients);
        }
      }
      for (int clients : CLIENTS) {
        pageserver.close();
        pageserver = start(home, Map.of());
        attach(pageserver);
        first(RESTARTED, pageserver, advance(pageserver), clients);
      }
    } finally {
      pageserver.close();
    }
  }

  private void warmUp(PageserverProcess pageserver) throws Exception {
    long lsn = advance(pageserver);
    fillCache(pageserver, lsn);
    read(HOT, pageserver.address(), pageserver.process()::cpu, lsn, hotOrder(WARM_UP_READS, 8), 1);
  }

  private void round(PageserverProcess pageserver, EchoServer echo, int clients) throws Exception {
    read(ECHO, echo.address(), echo::cpu, 0, hotOrder(reads, clients), 1);
    long lsn = advance(pageserver);
    fillCache(pageserver, lsn);
    read(HOT, pageserver.address(), pageserver.process()::cpu, lsn, hotOrder(reads, clients), 1);
    int runs = Math.max(reads / RUN_PAGES, 10 * clients);
    read(
        RUNS,
        pageserver.address(),
        pageserver.process()::cpu,
        lsn,
        hotOrder(runs, clients),
        RUN_PAGES);
    first(FIRST, pageserver, advance(pageserver), clients);
    rival(clients);
  }

  /** Lets the primary write so that pages have chains; returns an LSN never read at before. */
  private long advance(PageserverProcess pageserver) throws Exception {
    new TpcB(primary, scale).run(2, System.nanoTime(), done -> done >= 500);
    return receivedAll(pageserver);
  }

  private long receivedAll(PageserverProcess pageserver) throws Exception {
    long lsn = Lsn.parse(primary.currentLsn());
    pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsn);
    return lsn;
  }

  private void fillCache(PageserverProcess pageserver, long lsn) throws Exception {
    try (PageClient client = new PageClient(pageserver.address(), relation, lsn)) {
      for (int i = 0; i < hotPages() + RUN_PAGES && i < blocks; i++) {
        client.read(i, 1);
      }
    }
  }

  private int hotPages() {
    return Math.min(HOT_PAGES, blocks - RUN_PAGES);
  }

  private List<int[]> hotOrder(int reads, int clients) {
    SplittableRandom random = new SplittableRandom(measured.size());
    List<int[]> order = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      order.add(random.ints(reads / clients, 0, hotPages()).toArray());
    }
    return order;
  }

  private void first(String what, PageserverProcess pageserver, long lsn, int clients)
      throws Exception {
    int[] all = new int[blocks];
    Arrays.setAll(all, i -> i);
    SplittableRandom random = new SplittableRandom(lsn);
    for (int i = blocks - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swap = all[i];
      all[i] = all[j];
      all[j] = swap;
    }
    int each = Math.min(reads, blocks) / clients;
    List<int[]> order = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      order.add(Arrays.copyOfRange(all, i * each, (i + 1) * each));
    }
    read(what, pageserver.address(), pageserver.process()::cpu, lsn, order, 1);
  }

  private void read(
      String what,
      String address,
      Supplier<Duration> cpu,
      long lsn,
      List<int[]> order,
      int pagesPerRead)
      throws Exception {
    List<PageClient> open = open(address, lsn, order.size());
    add(ReadTimes.measure(what, order, pagesPerRead, readers(open, pagesPerRead), cpu));
    open.forEach(PageClient::close);
  }

  private List<PageClient> open(String address, long lsn, int clients) {
    List<PageClient> open = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      open.add(new PageClient(address, relation, lsn));
    }
    return open;
  }

  private static List<ReadTimes.Read> readers(List<PageClient> open, int pagesPerRead) {
    List<ReadTimes.Read> readers = new ArrayList<>();
    for (PageClient client : open) {
      readers.add(block -> client.read(block, pagesPerRead));
    }
    return readers;
  }

  private void rival(int clients) throws Exception {
    List<BlockFileClient> open = new ArrayList<>();
    List<ReadTimes.Read> readers = new ArrayList<>();
    List<int[]> order = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(clients);
    for (int i = 0; i < clients; i++) {
      BlockFileClient client = new BlockFileClient(primary, file);
      open.add(client);
      readers.add(client::read);
      order.add(random.ints(reads / clients, 0, blocks).toArray());
    }
    add(ReadTimes.measure(STOCK, order, 1, readers, this::primaryCpu));
    for (BlockFileClient client : open) {
      client.close();
    }
  }

  /** Processor time of the primary's processes that live. */
  private Duration primaryCpu() {
    try {
      Path pid = primary.dataDirectory().resolve("postmaster.pid");
      return ProcessHandle.of(Long.parseLong(Files.readAllLines(pid).getFirst().strip()))
          .orElseThrow()
          .children()
          .flatMap(process -> process.info().totalCpuDuration().stream())
          .reduce(Duration.ZERO, Duration::plus);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Hot reads while layers are written and merged, and before. Layers are small, so that the WAL of
   * one update of every row keeps the pageserver merging for a while when it has been received.
   */
  private void compacting(Path home, int rounds) throws Exception {
    Files.createDirectories(home);
    try (PageserverProcess pageserver =
        start(
            home,
            Map.of(
                "varve.engine.open-layer-size", "4M", "varve.engine.compact-after-layers", "4"))) {
      attach(pageserver);
      int before = measured.size();
      warmUp(pageserver);
      compacting(pageserver, 8);
      measured.subList(before, measured.size()).clear();
      for (int round = 1; round <= rounds; round++) {
        for (int clients : CLIENTS) {
          compacting(pageserver, clients);
        }
      }
    }
  }

  private void compacting(PageserverProcess pageserver, int clients) throws Exception {
    long lsn = advance(pageserver);
    fillCache(pageserver, lsn);
    read(QUIET, pageserver.address(), pageserver.process()::cpu, lsn, hotOrder(reads, clients), 1);
    primary.execute("postgres", "update pgbench_accounts set abalance = abalance + 1", "vacuum");
    receivedAll(pageserver);
    List<PageClient> open = open(pageserver.address(), lsn, clients);
    List<ReadTimes> parts = new ArrayList<>();
    int layers = pageserver.status().getLayerCount();
    int busyParts = 0;
    long lastChange = System.nanoTime();
    while (System.nanoTime() - lastChange < 3_000_000_000L) {
      List<int[]> order = hotOrder(500 * clients, clients);
      parts.add(
          ReadTimes.measure(COMPACTING, order, 1, readers(open, 1), pageserver.process()::cpu));
      int now = pageserver.status().getLayerCount();
      if (now != layers) {
        layers = now;
        busyParts = parts.size();
        lastChange = System.nanoTime();
      }
    }
    open.forEach(PageClient::close);
    if (busyParts == 0) {
      throw new IllegalStateException("nothing was merged");
    }
    add(ReadTimes.together(parts.subList(0, busyParts)));
  }

  private void add(ReadTimes one) {
    measured.add(one);
    System.out.println("  " + one);
  }

  private void print() {
    System.out.printf(
        "%n%-22s %8s %10s %10s %10s %14s%n",
        "medians", "clients", "p50 µs", "p99 µs", "pages/s", "pages/cpu s");
    for (String what : List.of(ECHO, HOT, RUNS, FIRST, RESTARTED, QUIET, COMPACTING, STOCK)) {
      for (int clients : CLIENTS) {
        System.out.printf(
            Locale.ROOT,
            "%-22s %8d %10.0f %10.0f %10.0f %14.0f%n",
            what,
            clients,
            median(what, clients, ReadTimes::p50),
            median(what, clients, ReadTimes::p99),
            median(what, clients, ReadTimes::pagesPerSecond),
            median(what, clients, ReadTimes::pagesPerCpuSecond));
      }
    }
  }

  private double median(String what, int clients, ToDoubleFunction<ReadTimes> value) {
    return Numbers.median(
        measured.stream()
            .filter(one -> one.what().equals(what) && one.clients() == clients)
            .mapToDouble(value)
            .toArray());
  }
}
