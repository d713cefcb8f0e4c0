package dev.varve.compute.mount;

import dev.varve.compute.fuse.FuseException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * Blocks of a file that are on their way from the source. Whoever waits for {@link #done} may read
 * the rest afterwards.
 */
final class PageRun {
  final int first;
  final int count;

  /** Whether they are to be stored though the disk has little room left. */
  final boolean needed;

  /** Whether they are fetched ahead of readers: a failure is no answer to a reader that joins. */
  final boolean ahead;

  final CountDownLatch done = new CountDownLatch(1);

  /** Of the source. */
  @Nullable IOException failure;

  /** Of the local disk. */
  @Nullable FuseException refusal;

  /** Those of the blocks that came and found no room, by their place in the run. */
  private final BitSet unstored = new BitSet();

  private ByteBuffer pages = ByteBuffer.allocate(0);

  PageRun(int first, int count, boolean needed, boolean ahead) {
    this.first = first;
    this.count = count;
    this.needed = needed;
    this.ahead = ahead;
  }

  /** The one of runs that has a block; null when none has. */
  static @Nullable PageRun covering(List<PageRun> runs, int block) {
    for (PageRun run : runs) {
      if (run.covers(block)) {
        return run;
      }
    }
    return null;
  }

  /** Whether one of runs passes a block. */
  static boolean passed(List<PageRun> runs, int block) {
    for (PageRun run : runs) {
      if (run.covers(block) && run.unstored.get(block - run.first)) {
        return true;
      }
    }
    return false;
  }

  private boolean covers(int block) {
    return block >= first && block < first + count;
  }

  /** Hands blocks to whoever waits, in place of storing them. */
  void pass(int from, int to, ByteBuffer all) {
    unstored.set(from - first, to - first);
    pages = all;
  }

  boolean passesAny() {
    return !unstored.isEmpty();
  }

  /** Puts the bytes of its unstored blocks where they belong in what is read from an offset on. */
  void copy(long offset, ByteBuffer into, int at, int bytes) {
    int page = LocalFile.PAGE;
    for (int i = unstored.nextSetBit(0); i >= 0; i = unstored.nextSetBit(i + 1)) {
      long begin = (long) (first + i) * page;
      long from = Math.max(begin, offset);
      long end = Math.min(begin + page, offset + bytes);
      if (from < end) {
        into.put(
            at + (int) (from - offset),
            pages,
            (int) (i * (long) page + from - begin),
            (int) (end - from));
      }
    }
  }
}
