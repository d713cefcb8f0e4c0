package dev.varve.bench;

import dev.varve.api.v1.RelationFork;
import dev.varve.engine.postgres.Lsn;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * How long a page takes over loopback gRPC from a pageserver that a primary with pgbench data
 * feeds, beside reading the same blocks from stock PostgreSQL over JDBC.
 *
 * <p>{@code hot}: 1,000 pages again and again, out of the cache of materialised pages. {@code
 * first}: every page once at an LSN that no page was read at before, so that each is made of its
 * chain. {@code restarted}: the same after a restart, without any cache but the operating system's.
 */
public final class GetPageBench {
  private static final int HOT_PAGES = 1000;
  private static final int[] CLIENTS = {1, 8};

  private final PostgresServer primary;
  private final RelationFork relation;
  private final String file;
  private final int blocks;
  private final int reads;
  private final List<Measured> measured = new ArrayList<>();

  private record Measured(
      String what, int clients, double p50, double p99, double pagesPerSecond) {}

  private GetPageBench(PostgresServer primary, int reads) throws Exception {
    this.primary = primary;
    this.reads = reads;
    file = primary.query("postgres", "select pg_relation_filepath('pgbench_accounts')");
    Path path = Path.of(file);
    relation =
        RelationFork.newBuilder()
            .setTablespaceOid(1663)
            .setDatabaseOid(Integer.parseInt(path.getName(1).toString()))
            .setRelationNumber(Integer.parseInt(path.getName(2).toString()))
            .build();
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
    Path home = PostgresServer.temporaryDirectory();
    try (PostgresServer primary =
        PostgresServer.builder(17)
            .setting("full_page_writes", "off")
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "16GB")
            .setting("synchronous_commit", "off")
            .start()) {
      new TpcB(primary, scale).initialize();
      new GetPageBench(primary, reads).run(home, scale, rounds);
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private void run(Path home, int scale, int rounds) throws Exception {
    PageserverUnderTest pageserver = PageserverUnderTest.start(home);
    try {
      pageserver.attach(primary);
      System.out.printf("pgbench scale %d, %d blocks of accounts%n", scale, blocks);
      // Warms up the JIT compilers on both sides.
      for (int i = 0; i < 2; i++) {
        hot(pageserver, advance(pageserver, scale), 8);
        first("first", pageserver, advance(pageserver, scale), 8);
        rival(8);
      }
      measured.clear();
      for (int round = 1; round <= rounds; round++) {
        for (int clients : CLIENTS) {
          hot(pageserver, advance(pageserver, scale), clients);
          first("first", pageserver, advance(pageserver, scale), clients);
          rival(clients);
        }
      }
      for (int clients : CLIENTS) {
        pageserver.close();
        pageserver = PageserverUnderTest.start(home);
        pageserver.attach(primary);
        first("restarted", pageserver, advance(pageserver, scale), clients);
      }
    } finally {
      pageserver.close();
    }
    System.out.printf(
        "%n%-24s %8s %10s %10s %10s%n", "medians", "clients", "p50 µs", "p99 µs", "pages/s");
    for (String what : List.of("hot", "first", "restarted", "stock over JDBC")) {
      for (int clients : CLIENTS) {
        List<Measured> same =
            measured.stream().filter(m -> m.what.equals(what) && m.clients == clients).toList();
        System.out.printf(
            Locale.ROOT,
            "%-24s %8d %10.0f %10.0f %10.0f%n",
            what,
            clients,
            Numbers.median(same.stream().mapToDouble(Measured::p50).toArray()),
            Numbers.median(same.stream().mapToDouble(Measured::p99).toArray()),
            Numbers.median(same.stream().mapToDouble(Measured::pagesPerSecond).toArray()));
      }
    }
  }

  /** Lets the primary write so that pages have chains; returns an LSN never read at before. */
  private long advance(PageserverUnderTest pageserver, int scale) throws Exception {
    new TpcB(primary, scale).run(2, System.nanoTime(), done -> done >= 500);
    long lsn = Lsn.parse(primary.currentLsn());
    pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsn);
    return lsn;
  }

  /** One read of one client. */
  private interface Read {
    void block(int block) throws Exception;
  }

  private void hot(PageserverUnderTest pageserver, long lsn, int clients) throws Exception {
    List<PageClient> open = open(pageserver, clients);
    for (int i = 0; i < HOT_PAGES; i++) {
      open.getFirst().read(i % blocks, lsn);
    }
    List<int[]> order = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(lsn);
    for (int i = 0; i < clients; i++) {
      order.add(random.ints(reads / clients, 0, Math.min(HOT_PAGES, blocks)).toArray());
    }
    measure("hot", order, i -> block -> open.get(i).read(block, lsn));
    open.forEach(PageClient::close);
  }

  private void first(String what, PageserverUnderTest pageserver, long lsn, int clients)
      throws Exception {
    List<PageClient> open = open(pageserver, clients);
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
    measure(what, order, i -> block -> open.get(i).read(block, lsn));
    open.forEach(PageClient::close);
  }

  private List<PageClient> open(PageserverUnderTest pageserver, int clients) {
    List<PageClient> open = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      open.add(new PageClient(pageserver.address(), relation));
    }
    return open;
  }

  private void rival(int clients) throws Exception {
    List<BlockFileClient> open = new ArrayList<>();
    List<int[]> order = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(clients);
    for (int i = 0; i < clients; i++) {
      open.add(new BlockFileClient(primary, file));
      order.add(random.ints(reads / clients, 0, blocks).toArray());
    }
    measure("stock over JDBC", order, i -> open.get(i)::read);
    for (BlockFileClient client : open) {
      client.close();
    }
  }

  private interface Clients {
    Read client(int index);
  }

  private void measure(String what, List<int[]> order, Clients clients) throws Exception {
    int count = order.size();
    long[][] nanos = new long[count][];
    Exception[] failures = new Exception[count];
    Thread[] threads = new Thread[count];
    long start = System.nanoTime();
    for (int i = 0; i < count; i++) {
      int client = i;
      threads[i] =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  nanos[client] = time(order.get(client), clients.client(client));
                } catch (Exception e) {
                  failures[client] = e;
                }
              });
    }
    for (Thread thread : threads) {
      thread.join();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    for (Exception failure : failures) {
      if (failure != null) {
        throw failure;
      }
    }
    long[] all = Arrays.stream(nanos).flatMapToLong(Arrays::stream).sorted().toArray();
    Measured one =
        new Measured(
            what,
            count,
            Numbers.percentile(all, 0.5) / 1e3,
            Numbers.percentile(all, 0.99) / 1e3,
            all.length / seconds);
    measured.add(one);
    System.out.println("  " + one);
  }

  private static long[] time(int[] blocks, Read read) throws Exception {
    // The connection and its first answer are not what is measured.
    read.block(blocks[0]);
    long[] nanos = new long[blocks.length - 1];
    for (int i = 1; i < blocks.length; i++) {
      long start = System.nanoTime();
      read.block(blocks[i]);
      nanos[i - 1] = System.nanoTime() - start;
    }
    return nanos;
  }
}
