package dev.varve.engine.catalog;

import dev.varve.engine.bytes.LittleEndian;
import java.util.Arrays;

/**
 * The ranges of a fork's blocks that it was made longer by and nobody wrote. PostgreSQL leaves a
 * hole in the file there, which reads as zeros: {@code XLogReadBufferExtended} of PostgreSQL 17
 * {@code src/backend/access/transam/xlogutils.c} makes a fork as long as the block that a record
 * names, and {@code mdzeroextend} and {@code mdextend} of {@code src/backend/storage/smgr/md.c}
 * fill what lies between with zeros. A hole costs its place in the fork's size, however long it is.
 * Immutable; any thread.
 *
 * <p>A block of a hole is zeros at the hole's LSN, the end of the record that made it: older
 * entries of the block are of before a truncation or a drop, and do not count. Newer ones apply to
 * zeros. A block outside of all holes has an entry; when none is found, it is lost.
 *
 * <p>Holes are ascending, by blocks and by LSN, and do not overlap. A new one becomes part of the
 * last one when no block of it had an entry since that one's LSN, that is when the fork was not
 * longer since (the hole's <em>peak</em>). So there is at most one between two truncations.
 *
 * <p>In a size, a hole is u32 first block, u32 end, u32 peak, u64 LSN.
 */
final class RelationHoles {
  static final RelationHoles NONE = new RelationHoles(0);

  /** Of one hole in a size. */
  static final int BYTES = 20;

  /** So many make a size of 1.3 kB, which each extension writes again. */
  private static final int MAX = 64;

  private final int[] firsts;
  private final int[] ends;

  /** The greatest length of the fork from the hole's LSN to that of the next one. */
  private final int[] peaks;

  private final long[] lsns;

  private RelationHoles(int count) {
    firsts = new int[count];
    ends = new int[count];
    peaks = new int[count];
    lsns = new long[count];
  }

  /** The first {@code count} of them, and room for the rest of {@code room}. */
  private RelationHoles copy(int count, int room) {
    RelationHoles copy = new RelationHoles(room);
    System.arraycopy(firsts, 0, copy.firsts, 0, count);
    System.arraycopy(ends, 0, copy.ends, 0, count);
    System.arraycopy(peaks, 0, copy.peaks, 0, count);
    System.arraycopy(lsns, 0, copy.lsns, 0, count);
    return copy;
  }

  boolean isEmpty() {
    return firsts.length == 0;
  }

  /** The LSN at which the block is zeros; 0 when it is in no hole. */
  long zerosLsn(int block) {
    for (int i = firsts.length - 1; i >= 0; i--) {
      if (Integer.compareUnsigned(block, firsts[i]) >= 0) {
        return Integer.compareUnsigned(block, ends[i]) < 0 ? lsns[i] : 0;
      }
    }
    return 0;
  }

  /** Whether there is no room for a hole that begins at the fork's end {@code first}. */
  boolean isFull(int first) {
    return firsts.length == MAX && !joinsLast(first);
  }

  private boolean joinsLast(int first) {
    return !isEmpty() && Integer.compareUnsigned(peaks[peaks.length - 1], first) <= 0;
  }

  /** The same with a hole from the fork's end to before {@code end}. */
  RelationHoles with(int first, int end, long lsn) {
    int count = firsts.length;
    if (joinsLast(first)) {
      RelationHoles longer = copy(count, count);
      longer.ends[count - 1] = end;
      return longer;
    }
    RelationHoles more = copy(count, count + 1);
    more.firsts[count] = first;
    more.ends[count] = end;
    more.lsns[count] = lsn;
    return more;
  }

  /** The same for a fork that is {@code blocks} long now. */
  RelationHoles at(int blocks) {
    int count = firsts.length;
    int left = count;
    while (left > 0 && Integer.compareUnsigned(firsts[left - 1], blocks) >= 0) {
      left--;
    }
    if (left == 0) {
      return NONE;
    }
    int last = left - 1;
    int peak = blocks;
    for (int i = last; i < count; i++) {
      peak = max(peak, peaks[i]);
    }
    if (left == count && peak == peaks[last] && Integer.compareUnsigned(ends[last], blocks) <= 0) {
      return this;
    }
    RelationHoles changed = copy(left, left);
    changed.peaks[last] = peak;
    if (Integer.compareUnsigned(ends[last], blocks) > 0) {
      changed.ends[last] = blocks;
    }
    return changed;
  }

  private static int max(int a, int b) {
    return Integer.compareUnsigned(a, b) >= 0 ? a : b;
  }

  /** The same for a copy of the fork, which was made at {@code lsn}. */
  RelationHoles copiedAt(long lsn) {
    RelationHoles copy = copy(firsts.length, firsts.length);
    Arrays.fill(copy.lsns, lsn);
    return copy;
  }

  int encodedLength() {
    return BYTES * firsts.length;
  }

  void encode(byte[] target, int offset) {
    for (int i = 0; i < firsts.length; i++) {
      int at = offset + BYTES * i;
      LittleEndian.putI32(target, at, firsts[i]);
      LittleEndian.putI32(target, at + 4, ends[i]);
      LittleEndian.putI32(target, at + 8, peaks[i]);
      LittleEndian.putI64(target, at + 12, lsns[i]);
    }
  }

  /** Reads what {@link #encode} wrote, up to the end of the bytes: a multiple of {@link #BYTES}. */
  static RelationHoles decode(byte[] bytes, int offset) {
    int count = (bytes.length - offset) / BYTES;
    if (count == 0) {
      return NONE;
    }
    RelationHoles holes = new RelationHoles(count);
    for (int i = 0; i < count; i++) {
      int at = offset + BYTES * i;
      holes.firsts[i] = LittleEndian.i32(bytes, at);
      holes.ends[i] = LittleEndian.i32(bytes, at + 4);
      holes.peaks[i] = LittleEndian.i32(bytes, at + 8);
      holes.lsns[i] = LittleEndian.i64(bytes, at + 12);
    }
    return holes;
  }
}
