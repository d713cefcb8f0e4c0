package dev.varve.bench;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.read.ChainReplay;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time to make one page of its chain, on chains out of a real server's WAL: {@code short} an image
 * and two heap inserts of 500 bytes, {@code medium} a page filled by 226 single-row inserts, {@code
 * btree} a leaf's image and up to 100 inserts, {@code mixed} pages of a pgbench database, one after
 * the other.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class RedoBench {
  /** Which chains. */
  @Param({"short", "medium", "btree", "mixed"})
  public String chain = "short";

  private Chain[] chains = new Chain[0];

  /** A thread's page and where it is in the list of chains. */
  @State(Scope.Thread)
  public static class Target {
    private final byte[] page = new byte[Page.SIZE];
    private int next;
  }

  /** Reads the chains, capturing them first when that has not been done. */
  @Setup(Level.Trial)
  public void load() throws Exception {
    List<RedoChain> loaded = RedoChains.load(chain);
    chains = loaded.stream().map(RedoChain::collect).toArray(Chain[]::new);
    System.out.printf(
        "%s: %d pages, on average %.1f records of %.0f bytes in all%n",
        chain,
        loaded.size(),
        loaded.stream().mapToInt(RedoChain::records).average().orElse(0),
        loaded.stream().mapToInt(RedoChain::recordBytes).average().orElse(0));
  }

  /** One page. */
  @Benchmark
  public byte[] page(Target target) {
    int index = target.next;
    target.next = index + 1 == chains.length ? 0 : index + 1;
    ChainReplay.replay(0, 0, chains[index], target.page, RedoChains.CONTEXT);
    return target.page;
  }
}
