package dev.varve.engine.store;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
public final class ProbedObjectStore extends ForwardingObjectStore {
  private static final Logger log = LoggerFactory.getLogger(ProbedObjectStore.class);
  private static final Duration AGAIN_AFTER = Duration.ofSeconds(30);

  private final Supplier<StoreProbe> probes;
  private volatile boolean fit;

  /** What it lacked when it was probed last; guarded by this, as are the others. */
  private String unmet = "";

  private Instant unmetSince = Instant.EPOCH;
  private long probedNanos;
  private @Nullable FutureTask<String> underWay;

  /**
   * @param probes makes one for each attempt
   */
  public ProbedObjectStore(ObjectStore inner, Supplier<StoreProbe> probes) {
    super(inner);
    this.probes = probes;
  }

  /** What the store lacks for timelines to be safe, in words; empty when it lacks nothing. */
  public static String lacking(Map<StoreProbe.Need, String> findings) {
    StringBuilder text = new StringBuilder();
    findings.forEach((need, fault) -> {
      if (!fault.isEmpty() && need.isForSafety()) {
        text.append(text.isEmpty() ? "" : "; ")
            .append("it lacks that ")
            .append(need.description())
            .append(": ")
            .append(fault);
      }
    });
    return text.toString();
  }

  /** Waits for the probe that is under way, or begins one, until the caller's deadline. */
  private void requireFit() throws IOException {
    if (fit) {
      return;
    }
    FutureTask<String> probe;
    synchronized (this) {
      if (underWay == null) {
        if (!unmet.isEmpty() && System.nanoTime() - probedNanos < AGAIN_AFTER.toNanos()) {
          throw unfit(unmet);
        }
        underWay = new FutureTask<>(this::probe);
        // Of no caller: others wait for it as well, and what it wrote is to be removed.
        Thread.ofVirtual().name("varve-probe").start(underWay);
      }
      probe = underWay;
    }
    String lacks;
    try {
      lacks = probe.get(StoreDeadline.current().nanosLeft(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof IOException)) {
        throw new IllegalStateException("the probe of the object store failed", e);
      }
      throw new IOException("the object store cannot be probed: " + FailureText.of(e), e);
    } catch (TimeoutException e) {
      throw new IOException("the object store is still being probed", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (!lacks.isEmpty()) {
      throw unfit(lacks);
    }
  }

  private String probe() throws IOException {
    try {
      String lacks = lacking(probes.get().run());
      String lacked;
      synchronized (this) {
        lacked = unmet;
        unmetSince = lacked.isEmpty() ? Instant.now() : unmetSince;
        unmet = lacks;
        probedNanos = System.nanoTime();
      }
      if (lacks.isEmpty()) {
        log.info("the object store does what is needed of it");
        fit = true;
      } else if (!lacks.equals(lacked)) {
        log.error("the object store cannot be used: {}", lacks);
      }
      return lacks;
    } finally {
      synchronized (this) {
        underWay = null;
      }
    }
  }

  private static StoreRefusedException unfit(String lacks) {
    return new StoreRefusedException(
        "the object store cannot be used, nothing was claimed: "
            + lacks
            + "; docs/operations/object-store.md names servers that can");
  }

  /** One that is not fit fails for all: nothing can be begun there. */
  @Override
  public @Nullable StoreFailure failure(String prefix) {
    if (!fit) {
      synchronized (this) {
        if (!unmet.isEmpty()) {
          return new StoreFailure(
              StoreFailure.Kind.REFUSED, unmetSince, "the object store cannot be used: " + unmet);
        }
      }
    }
    return super.failure(prefix);
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    requireFit();
    super.create(name, bytes);
  }
}
