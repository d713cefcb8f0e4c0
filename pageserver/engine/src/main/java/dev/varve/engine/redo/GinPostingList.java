package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * The compressed form of a sorted list of heap TIDs. A TID as a number is its block times 2048 plus
 * its item number. Follows PostgreSQL 17 {@code src/backend/access/gin/ginpostinglist.c}; the same
 * in 15 to 18.
 *
 * <pre>
 * list  := first TID, byteCount u16, delta*, padding to an even size
 * TID   := block high u16, block low u16, item u16
 * delta := difference to the previous TID, 7 bits a byte from the lowest, 0x80 in all but the last; 7 bytes at most
 * </pre>
 */
final class GinPostingList {
  static final int HEADER = 8;
  static final int TID_SIZE = 6;

  private static final int OFFSET_BITS = 11;
  private static final int MOST_DELTA_BYTES = 7;
  private static final int MOST_BYTES = Page.SIZE - HEADER;

  private GinPostingList() {}

  /** The TID at {@code offset} as a number. */
  static long tid(byte[] bytes, int offset) {
    long block = (long) u16(bytes, offset) << 16 | u16(bytes, offset + 2);
    return block << OFFSET_BITS | u16(bytes, offset + 4);
  }

  static void putTid(byte[] bytes, int offset, long tid) {
    int block = (int) (tid >>> OFFSET_BITS);
    putU16(bytes, offset, block >>> 16);
    putU16(bytes, offset + 2, block);
    putU16(bytes, offset + 4, (int) tid & (1 << OFFSET_BITS) - 1);
  }

  /** The size of the list at {@code offset}, padding included; it must end by {@code end}. */
  static int size(byte[] bytes, int offset, int end) {
    if (end - offset < HEADER) {
      throw new RedoException("posting list of " + (end - offset) + " bytes");
    }
    int size = HEADER + (u16(bytes, offset + 6) + 1 & ~1);
    if (size > end - offset) {
      throw new RedoException(
          "posting list of " + size + " bytes, " + (end - offset) + " are left");
    }
    return size;
  }

  /** The TIDs of the list at {@code offset}, whose {@link #size} was checked. */
  static long[] decode(byte[] bytes, int offset) {
    int at = offset + HEADER;
    int end = at + u16(bytes, offset + 6);
    long[] tids = new long[end - at + 1];
    long tid = tid(bytes, offset);
    tids[0] = tid;
    int count = 1;
    while (at < end) {
      long delta = 0;
      int shift = 0;
      int b;
      do {
        if (at == end || shift == 7 * MOST_DELTA_BYTES) {
          throw new RedoException("posting list ends within a TID");
        }
        b = bytes[at++];
        // The seventh byte has no continuation bit to leave out.
        delta |= (shift == 7 * (MOST_DELTA_BYTES - 1) ? b & 0xFFL : b & 0x7FL) << shift;
        shift += 7;
      } while (b < 0 && shift < 7 * MOST_DELTA_BYTES);
      tid += delta;
      tids[count++] = tid;
    }
    return Arrays.copyOf(tids, count);
  }

  /**
   * Compresses ascending TIDs, which must all fit into a page's size.
   *
   * @param to takes the list; a page's size is enough
   * @return the list's size
   */
  static int encode(long[] tids, int count, byte[] to) {
    putTid(to, 0, tids[0]);
    int at = HEADER;
    for (int i = 1; i < count; i++) {
      long delta = tids[i] - tids[i - 1];
      if (delta < 0 || delta >>> 43 != 0) {
        throw new RedoException("TIDs are not in order");
      }
      while (delta > 0x7F) {
        at = put(to, at, (int) (delta & 0x7F) | 0x80);
        delta >>>= 7;
      }
      at = put(to, at, (int) delta);
    }
    putU16(to, 6, at - HEADER);
    return (at & 1) == 0 ? at : put(to, at, 0);
  }

  private static int put(byte[] to, int at, int value) {
    if (at >= HEADER + MOST_BYTES) {
      throw new RedoException("TIDs do not fit into one posting list");
    }
    to[at] = (byte) value;
    return at + 1;
  }

  /** The union of two ascending lists ({@code ginMergeItemPointers}). */
  static long[] merge(long[] a, long[] b) {
    long[] merged = new long[a.length + b.length];
    int i = 0;
    int j = 0;
    int count = 0;
    while (i < a.length && j < b.length) {
      if (a[i] == b[j]) {
        j++;
      } else {
        merged[count++] = a[i] < b[j] ? a[i++] : b[j++];
      }
    }
    while (i < a.length) {
      merged[count++] = a[i++];
    }
    while (j < b.length) {
      merged[count++] = b[j++];
    }
    return Arrays.copyOf(merged, count);
  }
}
