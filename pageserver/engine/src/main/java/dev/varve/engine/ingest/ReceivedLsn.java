package dev.varve.engine.ingest;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Up to where WAL can be read, and those who wait for more of it: they are woken when there is, and
 * cost whoever receives it nothing while there are none. One writer, any number of readers.
 */
final class ReceivedLsn {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private volatile long lsn;
  private final AtomicInteger waiters = new AtomicInteger();

  ReceivedLsn(long lsn) {
    this.lsn = lsn;
  }

  long get() {
    return lsn;
  }

  void set(long received) {
    lsn = received;
    wake();
  }

  /** Whoever waits looks again. */
  void wake() {
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
   * Waits until {@code wanted} was received.
   *
   * @param ended whether nothing more comes; asked whenever this is woken
   * @return whether it was received
   */
  boolean await(long wanted, long timeoutNanos, BooleanSupplier ended) throws InterruptedException {
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
