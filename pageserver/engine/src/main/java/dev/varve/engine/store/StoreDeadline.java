package dev.varve.engine.store;

import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * When the caller of an object store gives up, whatever is tried again below it: a reader's own
 * deadline, or the end of a timeline's background work. Calls that are made inside {@link #call}
 * end with an error soon after. Deadlines nest; the earliest counts. Any thread.
 */
public final class StoreDeadline {
  private static final ScopedValue<StoreDeadline> CURRENT = ScopedValue.newInstance();
  private static final StoreDeadline NEVER = new StoreDeadline(Long.MAX_VALUE, null);

  private final long limitNanos;
  private final long startNanos = System.nanoTime();
  private final @Nullable StoreDeadline outer;
  private volatile boolean expired;

  private StoreDeadline(long limitNanos, @Nullable StoreDeadline outer) {
    this.limitNanos = limitNanos;
    this.outer = outer;
  }

  /** So long from now on, and no longer than the deadline of the calling thread. */
  public static StoreDeadline after(Duration limit) {
    return new StoreDeadline(limit.toNanos(), current());
  }

  /** One that ends when it is {@linkplain #expire expired}, or with the calling thread's. */
  public static StoreDeadline open() {
    return new StoreDeadline(Long.MAX_VALUE, current());
  }

  /**
   * Likewise, for work that the calling thread begins and does not wait for: its own deadline does
   * not count.
   */
  public static StoreDeadline detached() {
    return new StoreDeadline(Long.MAX_VALUE, null);
  }

  /** What the calling thread runs within. */
  public static StoreDeadline current() {
    return CURRENT.orElse(NEVER);
  }

  /** Ends it now. */
  public void expire() {
    expired = true;
  }

  public boolean isOver() {
    return nanosLeft() <= 0;
  }

  /** Whether somebody ended it, and not the time. */
  boolean isExpired() {
    return expired || outer != null && outer.isExpired();
  }

  /** 0 or less: over; {@link Long#MAX_VALUE}: it has no end yet. */
  public long nanosLeft() {
    if (expired) {
      return 0;
    }
    long own =
        limitNanos == Long.MAX_VALUE
            ? Long.MAX_VALUE
            : limitNanos - (System.nanoTime() - startNanos);
    return outer == null ? own : Math.min(own, outer.nanosLeft());
  }

  public <T extends @Nullable Object> T call(Supplier<T> work) {
    return ScopedValue.where(CURRENT, this).call(work::get);
  }

  public void run(Runnable work) {
    ScopedValue.where(CURRENT, this).run(work);
  }
}
