package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.putU8;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

/**
 * The header of a heap tuple, as accessors over the page (or any array) that holds it at an offset.
 * Follows PostgreSQL 17 {@code src/include/access/htup_details.h}; the same in 15 to 18.
 */
final class HeapTuple {
  /** {@code SizeofHeapTupleHeader}: where the null bitmap starts. */
  static final int HEADER_BYTES = 23;

  private static final int XMIN = 0;
  private static final int XMAX = 4;

  /** Command id, or the transaction id of an old-style VACUUM FULL. */
  private static final int FIELD3 = 8;

  private static final int CTID = 12;
  private static final int INFOMASK2 = 18;
  private static final int INFOMASK = 20;
  private static final int HOFF = 22;

  private static final int XMAX_KEYSHR_LOCK = 0x0010;
  private static final int COMBOCID = 0x0020;
  private static final int XMAX_EXCL_LOCK = 0x0040;
  private static final int XMAX_LOCK_ONLY = 0x0080;
  private static final int XMAX_COMMITTED = 0x0400;
  private static final int XMAX_INVALID = 0x0800;
  private static final int XMAX_IS_MULTI = 0x1000;
  private static final int MOVED = 0xC000;
  private static final int LOCK_MASK = XMAX_EXCL_LOCK | XMAX_KEYSHR_LOCK;
  private static final int XMAX_BITS =
      XMAX_COMMITTED | XMAX_INVALID | XMAX_IS_MULTI | LOCK_MASK | XMAX_LOCK_ONLY;

  private static final int KEYS_UPDATED = 0x2000;
  private static final int HOT_UPDATED = 0x4000;

  /** {@code MovedPartitionsOffsetNumber}. */
  private static final int MOVED_PARTITIONS = 0xFFFD;

  private HeapTuple() {}

  static int hoff(byte[] page, int tuple) {
    return u8(page, tuple + HOFF);
  }

  static void setXmin(byte[] page, int tuple, int xid) {
    putI32(page, tuple + XMIN, xid);
  }

  static void setXmax(byte[] page, int tuple, int xid) {
    putI32(page, tuple + XMAX, xid);
  }

  static void setXvac(byte[] page, int tuple, int xid) {
    putI32(page, tuple + FIELD3, xid);
  }

  /** {@code HeapTupleHeaderSetCmax(tup, FirstCommandId, false)}. */
  static void setFirstCmax(byte[] page, int tuple) {
    putI32(page, tuple + FIELD3, 0);
    putU16(page, tuple + INFOMASK, u16(page, tuple + INFOMASK) & ~COMBOCID);
  }

  static void setCtid(byte[] page, int tuple, int block, int number) {
    putU16(page, tuple + CTID, block >>> 16);
    putU16(page, tuple + CTID + 2, block);
    putU16(page, tuple + CTID + 4, number);
  }

  static void setMovedPartitions(byte[] page, int tuple) {
    setCtid(page, tuple, -1, MOVED_PARTITIONS);
  }

  static void setInfomasks(byte[] page, int tuple, int infomask2, int infomask) {
    putU16(page, tuple + INFOMASK2, infomask2);
    putU16(page, tuple + INFOMASK, infomask);
  }

  static void setHotUpdated(byte[] page, int tuple, boolean hot) {
    int infomask2 = u16(page, tuple + INFOMASK2);
    putU16(page, tuple + INFOMASK2, hot ? infomask2 | HOT_UPDATED : infomask2 & ~HOT_UPDATED);
  }

  /**
   * Forgets what was known of {@code xmax} and sets what a record's {@code infobits} say ({@code
   * fix_infomask_from_infobits}): 1 multixact, 2 lock only, 4 exclusive, 8 key share, 0x10 keys
   * updated.
   */
  static void setInfobits(byte[] page, int tuple, int infobits) {
    int infomask = u16(page, tuple + INFOMASK) & ~(XMAX_BITS | MOVED);
    int infomask2 = u16(page, tuple + INFOMASK2) & ~KEYS_UPDATED;
    infomask |= (infobits & 0x01) != 0 ? XMAX_IS_MULTI : 0;
    infomask |= (infobits & 0x02) != 0 ? XMAX_LOCK_ONLY : 0;
    infomask |= (infobits & 0x04) != 0 ? XMAX_EXCL_LOCK : 0;
    infomask |= (infobits & 0x08) != 0 ? XMAX_KEYSHR_LOCK : 0;
    infomask2 |= (infobits & 0x10) != 0 ? KEYS_UPDATED : 0;
    setInfomasks(page, tuple, infomask2, infomask);
  }

  /** {@code HEAP_XMAX_IS_LOCKED_ONLY}. */
  static boolean isLockedOnly(byte[] page, int tuple) {
    int infomask = u16(page, tuple + INFOMASK);
    return (infomask & XMAX_LOCK_ONLY) != 0
        || (infomask & (XMAX_IS_MULTI | LOCK_MASK)) == XMAX_EXCL_LOCK;
  }

  /**
   * Writes the header of a tuple whose bytes behind it are there already.
   *
   * @param header where infomask2, infomask and hoff stand in {@code from}, as {@code
   *     xl_heap_header} lays them out
   */
  static void build(
      byte[] tuple, byte[] from, int header, int xmin, int xmax, int block, int number) {
    putI32(tuple, XMIN, xmin);
    putI32(tuple, XMAX, xmax);
    putI32(tuple, FIELD3, 0);
    setCtid(tuple, 0, block, number);
    putU16(tuple, INFOMASK2, u16(from, header));
    putU16(tuple, INFOMASK, u16(from, header + 2));
    putU8(tuple, HOFF, u8(from, header + 4));
  }

  /** Whether {@code xid} is older than {@code other} ({@code TransactionIdPrecedes}). */
  static boolean precedes(int xid, int other) {
    if (Integer.compareUnsigned(xid, 3) < 0 || Integer.compareUnsigned(other, 3) < 0) {
      return Integer.compareUnsigned(xid, other) < 0;
    }
    return xid - other < 0;
  }
}
