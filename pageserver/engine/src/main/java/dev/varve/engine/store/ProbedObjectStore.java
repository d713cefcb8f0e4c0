package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Probes a store before it creates the first object there: a manifest or another claim, which all
 * rests on. A store that is not fit refuses every creation, with what it lacks; it is probed again
 * after a while, since somebody may have mended it. One that does not answer is not known yet. Any
 * thread.
 */
public final class ProbedObjectStore implements ObjectStore {
  private static final Logger log = LoggerFactory.getLogger(ProbedObjectStore.class);
  private static final Duration AGAIN_AFTER = Duration.ofSeconds(30);
  private static final long LONGEST_WAIT_NANOS = TimeUnit.MINUTES.toNanos(5);

  private final ObjectStore inner;
  private final Supplier<StoreProbe> probes;
  private final ReentrantLock probing = new ReentrantLock();
  private volatile boolean fit;
  private volatile @Nullable String unmet;
  private long probedNanos;

  /**
   * @param probes makes one for each attempt
   */
  public ProbedObjectStore(ObjectStore inner, Supplier<StoreProbe> probes) {
    this.inner = inner;
    this.probes = probes;
  }

  /** What the store lacks, in words; empty when it lacks nothing. */
  public static String lacking(Map<StoreProbe.Need, String> findings) {
    StringBuilder text = new StringBuilder();
    findings.forEach((need, fault) -> {
      if (!fault.isEmpty()) {
        text.append(text.isEmpty() ? "" : "; ")
            .append("it lacks that ")
            .append(need.description())
            .append(": ")
            .append(fault);
      }
    });
    return text.toString();
  }

  private void requireFit() throws IOException {
    if (fit) {
      return;
    }
    // Whoever comes meanwhile needs the outcome as well.
    boolean mine;
    try {
      mine =
          probing.tryLock(
              Math.min(LONGEST_WAIT_NANOS, StoreDeadline.current().nanosLeft()),
              TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (!mine) {
      throw new IOException("the object store is still being probed");
    }
    try {
      if (!fit) {
        probe();
      }
    } finally {
      probing.unlock();
    }
  }

  private void probe() throws IOException {
    String lacks = unmet;
    if (lacks == null || System.nanoTime() - probedNanos > AGAIN_AFTER.toNanos()) {
      lacks = lacking(probes.get().run());
      probedNanos = System.nanoTime();
      if (!lacks.isEmpty() && !lacks.equals(unmet)) {
        log.error("the object store cannot be used: {}", lacks);
      }
      unmet = lacks;
    }
    if (!lacks.isEmpty()) {
      throw new StoreRefusedException(
          "the object store cannot be used, nothing was claimed: "
              + lacks
              + "; docs/operations/install.md names servers that can");
    }
    unmet = null;
    fit = true;
    log.info("the object store does what is needed of it");
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    requireFit();
    inner.create(name, bytes);
  }

  @Override
  public byte[] get(String name) throws IOException {
    return inner.get(name);
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    return inner.getRange(name, offset, length);
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    inner.put(name, bytes);
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    inner.putFile(name, file);
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    return inner.list(prefix);
  }

  @Override
  public void delete(String name) throws IOException {
    inner.delete(name);
  }

  @Override
  public String trouble(String prefix) {
    return inner.trouble(prefix);
  }
}
