package dev.varve.compute.mount;

/**
 * Tells from the reads of one open file whether it is read in order, and how far ahead to fetch.
 * Synchronised: the kernel may send several reads of one file at once, and a little out of order.
 */
final class ReadAhead {
  static final int FIRST_BLOCKS = 64;
  static final int MAX_BLOCKS = 1024;

  /** Reads that must follow each other before anything is fetched ahead. */
  private static final int STREAK = 2;

  private static final int SLACK = 128;

  private int next;
  private int streak;
  private int window;
  private int fetchedTo;

  /** The number of blocks behind this read to fetch now; 0 for none. */
  synchronized int onRead(int block, int count) {
    int end = block + count;
    boolean follows =
        block <= next && block >= next - SLACK
            || block > next && block - next < SLACK && streak >= STREAK;
    if (!follows) {
      next = end;
      streak = 0;
      window = 0;
      fetchedTo = end;
      return 0;
    }
    next = Math.max(next, end);
    if (block + count <= fetchedTo - window / 2 && streak >= STREAK) {
      streak++;
      return 0;
    }
    streak++;
    if (streak < STREAK) {
      return 0;
    }
    window = window == 0 ? FIRST_BLOCKS : Math.min(window * 2, MAX_BLOCKS);
    fetchedTo = end + window;
    return window;
  }
}
