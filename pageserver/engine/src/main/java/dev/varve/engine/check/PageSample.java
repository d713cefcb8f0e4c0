package dev.varve.engine.check;

import dev.varve.engine.tree.KeySpace;
import java.util.SplittableRandom;

/** Draws entries of pages, each as likely as any other, of however many there are. Any thread. */
final class PageSample {
  private final long[] keys;
  private final long[] lsns;
  private final SplittableRandom random;
  private long seen;

  PageSample(int size, SplittableRandom random) {
    keys = new long[size];
    lsns = new long[size];
    this.random = random;
  }

  void entry(long key, long lsn) {
    if (keys.length > 0 && KeySpace.isPage(key)) {
      draw(key, lsn);
    }
  }

  /** Reservoir sampling (Vitter, algorithm R). */
  private synchronized void draw(long key, long lsn) {
    long at = seen < keys.length ? seen : random.nextLong(seen + 1);
    seen++;
    if (at < keys.length) {
      keys[(int) at] = key;
      lsns[(int) at] = lsn;
    }
  }

  synchronized int size() {
    return (int) Math.min(seen, keys.length);
  }

  long key(int index) {
    return keys[index];
  }

  long lsn(int index) {
    return lsns[index];
  }

  /** Any LSN from the first to the last. */
  long lsnBetween(long first, long last) {
    return first == last ? first : first + random.nextLong(last - first + 1);
  }
}
