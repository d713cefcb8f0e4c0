package dev.varve.bench;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * What reads by clients side by side took: a thread each, the next read when the last one is there.
 */
final class ReadTimes {
  private final String what;
  private final int clients;
  private final int pagesPerRead;

  /** Of each read, ascending. */
  private final long[] nanos;

  private final double seconds;
  private final double cpuSeconds;

  private ReadTimes(
      String what, int clients, int pagesPerRead, long[] nanos, double seconds, double cpuSeconds) {
    this.what = what;
    this.clients = clients;
    this.pagesPerRead = pagesPerRead;
    this.nanos = nanos;
    this.seconds = seconds;
    this.cpuSeconds = cpuSeconds;
    Arrays.sort(nanos);
  }

  /** One read of one client. */
  interface Read {
    void block(int block) throws Exception;
  }

  /**
   * Runs the reads.
   *
   * @param order the blocks that each client reads, the first of them unmeasured: connections and
   *     their first answers are something else
   * @param pagesPerRead for the rates
   * @param clients as many as {@code order} has
   * @param serverCpu of the server until now
   */
  static ReadTimes measure(
      String what,
      List<int[]> order,
      int pagesPerRead,
      List<Read> clients,
      Supplier<Duration> serverCpu)
      throws Exception {
    int count = order.size();
    for (int i = 0; i < count; i++) {
      clients.get(i).block(order.get(i)[0]);
    }
    long[][] nanos = new long[count][];
    Exception[] failures = new Exception[count];
    Thread[] threads = new Thread[count];
    Duration cpuBefore = serverCpu.get();
    long start = System.nanoTime();
    for (int i = 0; i < count; i++) {
      int client = i;
      threads[i] =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  nanos[client] = time(order.get(client), clients.get(client));
                } catch (Exception e) {
                  failures[client] = e;
                }
              });
    }
    for (Thread thread : threads) {
      thread.join();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    double cpuSeconds = serverCpu.get().minus(cpuBefore).toNanos() / 1e9;
    for (Exception failure : failures) {
      if (failure != null) {
        throw failure;
      }
    }
    return new ReadTimes(
        what,
        count,
        pagesPerRead,
        Arrays.stream(nanos).flatMapToLong(Arrays::stream).toArray(),
        seconds,
        cpuSeconds);
  }

  private static long[] time(int[] blocks, Read read) throws Exception {
    long[] nanos = new long[blocks.length - 1];
    for (int i = 1; i < blocks.length; i++) {
      long start = System.nanoTime();
      read.block(blocks[i]);
      nanos[i - 1] = System.nanoTime() - start;
    }
    return nanos;
  }

  /** Measurements of the same reads, one after the other, as one. */
  static ReadTimes together(List<ReadTimes> parts) {
    ReadTimes first = parts.getFirst();
    return new ReadTimes(
        first.what,
        first.clients,
        first.pagesPerRead,
        parts.stream().flatMapToLong(part -> Arrays.stream(part.nanos)).toArray(),
        parts.stream().mapToDouble(part -> part.seconds).sum(),
        parts.stream().mapToDouble(part -> part.cpuSeconds).sum());
  }

  String what() {
    return what;
  }

  int clients() {
    return clients;
  }

  int reads() {
    return nanos.length;
  }

  /** Microseconds of one read. */
  double p50() {
    return Numbers.percentile(nanos, 0.5) / 1e3;
  }

  /** Likewise. */
  double p99() {
    return Numbers.percentile(nanos, 0.99) / 1e3;
  }

  /** Of all clients together. */
  double pagesPerSecond() {
    return (double) nanos.length * pagesPerRead / seconds;
  }

  /** For each second of processor time that the server used. */
  double pagesPerCpuSecond() {
    return (double) nanos.length * pagesPerRead / cpuSeconds;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-22s %d clients, %d reads: p50 %.0f µs, p99 %.0f µs, %.0f pages/s, %.0f pages/cpu s",
        what,
        clients,
        reads(),
        p50(),
        p99(),
        pagesPerSecond(),
        pagesPerCpuSecond());
  }
}
