package dev.varve.engine.tree;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * An LSN that moves on, and those who wait for it to: they are woken when it does, and cost whoever
 * moves it nothing while there are none. One writer, any number of readers.
 */
public final class AwaitedLsn {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private volatile long lsn;
  private final AtomicInteger waiters = new AtomicInteger();

  public AwaitedLsn(long lsn) {
    this.lsn = lsn;
  }

  public long get() {
    return lsn;
  }

  public void set(long reached) {
    lsn = reached;
    wake();
  }

  /** Whoever waits looks again. */
  public void wake() {
    if (waiters.get() > 0) {
      lock.lock();
      try {
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Waits until {@code wanted} is reached.
   *
   * @param ended whether it moves no more; asked whenever this is woken
   * @return whether it was reached
   */
  public boolean await(long wanted, long timeoutNanos, BooleanSupplier ended)
      throws InterruptedException {
    if (Long.compareUnsigned(lsn, wanted) >= 0) {
      return true;
    }
    lock.lockInterruptibly();
    try {
      waiters.incrementAndGet(); // before the look that decides to wait
      long left = timeoutNanos;
      while (Long.compareUnsigned(lsn, wanted) < 0) {
        if (ended.getAsBoolean() || left <= 0) {
          return false;
        }
        left = changed.awaitNanos(left);
      }
      return true;
    } finally {
      waiters.decrementAndGet();
      lock.unlock();
    }
  }
}
