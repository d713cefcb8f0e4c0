package dev.varve.engine.bytes;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Scratch objects that belong to no thread: readers are virtual threads that live for one request,
 * and a thread-local of theirs is made anew for each. At most two for each processor lie idle; what
 * finds its place taken is left to the garbage collector. Any thread.
 */
public final class ScratchPool<T> {
  /** A cache line of references between two places. */
  private static final int STRIDE = 16;

  private final Supplier<T> make;
  private final AtomicReferenceArray<@Nullable T> idle;
  private final int mask;

  public ScratchPool(Supplier<T> make) {
    this.make = make;
    int places = 2 * Integer.highestOneBit(Runtime.getRuntime().availableProcessors());
    this.mask = places - 1;
    this.idle = new AtomicReferenceArray<>(places * STRIDE);
  }

  private int place() {
    return ((int) Thread.currentThread().threadId() & mask) * STRIDE;
  }

  /** One that nobody else has until it is {@linkplain #give given} back, in whatever state. */
  public T take() {
    T found = idle.getAndSet(place(), null);
    return found == null ? make.get() : found;
  }

  public void give(T scratch) {
    idle.setRelease(place(), scratch);
  }
}
