package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.Page;

/**
 * A B-tree page: its special space, its tuples, and pages made from nothing. Accessors over a
 * {@code byte[8192]}. Follows PostgreSQL 17 {@code src/include/access/nbtree.h} and {@code itup.h};
 * the same in 15 to 18.
 */
final class BtreePage {
  static final int LEAF = 0x01;
  static final int ROOT = 0x02;
  static final int DELETED = 0x04;
  static final int META = 0x08;
  static final int HALF_DEAD = 0x10;
  static final int HAS_GARBAGE = 0x40;
  static final int INCOMPLETE_SPLIT = 0x80;
  static final int HAS_FULL_XID = 0x100;

  /** Item number of the high key on a page that is not the rightmost. */
  static final int HIGH_KEY = 1;

  static final int SPECIAL_SIZE = 16;
  static final int OPAQUE = Page.SIZE - SPECIAL_SIZE;
  static final int PREVIOUS = OPAQUE;
  static final int NEXT = OPAQUE + 4;
  static final int LEVEL = OPAQUE + 8;
  static final int FLAGS = OPAQUE + 12;
  static final int CYCLE_ID = OPAQUE + 14;

  /** {@code sizeof(IndexTupleData)}: a TID of 6 bytes, then {@code t_info}. */
  static final int TUPLE_HEADER = 8;

  private static final int SIZE_MASK = 0x1FFF;
  private static final int ALTERNATIVE_TID = 0x2000;
  private static final int POSTING = 0x2000;
  private static final int COUNT_MASK = 0x0FFF;
  private static final int TID_SIZE = 6;

  private static final int MAGIC = 0x053162;
  private static final int META_SIZE = 48;

  /** {@code xl_btree_metadata} up to its last field. */
  private static final int LOGGED_META_SIZE = 25;

  private BtreePage() {}

  /** Rejects what is not laid out as a B-tree page. */
  static void check(byte[] page) {
    if (Page.special(page) != OPAQUE) {
      throw new RedoException("not a B-tree page: special space at " + Page.special(page));
    }
    PageItems.checkHeader(page);
  }

  static int flags(byte[] page) {
    return u16(page, FLAGS);
  }

  static void clearFlag(byte[] page, int flag) {
    putU16(page, FLAGS, flags(page) & ~flag);
  }

  static boolean isRightmost(byte[] page) {
    return LittleEndian.i32(page, NEXT) == 0;
  }

  /** Number of the first item that is not the high key. */
  static int firstDataItem(byte[] page) {
    return isRightmost(page) ? 1 : 2;
  }

  static void init(byte[] page, int previous, int next, int level, int flags) {
    Page.init(page, SPECIAL_SIZE);
    putI32(page, PREVIOUS, previous);
    putI32(page, NEXT, next);
    putI32(page, LEVEL, level);
    putU16(page, FLAGS, flags);
  }

  /** Makes the meta page from a logged {@code xl_btree_metadata} ({@code _bt_restore_meta}). */
  static void initMeta(byte[] page, byte[] from, int offset, int length) {
    if (length < LOGGED_META_SIZE) {
      throw new RedoException("B-tree meta data of " + length + " bytes");
    }
    init(page, 0, 0, 0, META);
    int meta = Page.HEADER_SIZE;
    putI32(page, meta, MAGIC);
    // Version, root, level, fast root, fast level, deleted pages at the last cleanup.
    System.arraycopy(from, offset, page, meta + 4, 24);
    putI64(page, meta + 32, Double.doubleToRawLongBits(-1.0));
    page[meta + 40] = from[offset + 24];
    putU16(page, Page.LOWER, meta + META_SIZE);
  }

  /**
   * Makes an internal page's or leaf's remains: half-dead, its only item tells the top of the
   * branch to be deleted.
   */
  static void initHalfDead(byte[] page, int previous, int next, int topParent) {
    init(page, previous, next, 0, HALF_DEAD | LEAF);
    int tuple = OPAQUE - TUPLE_HEADER;
    putTidBlock(page, tuple, topParent);
    putU16(page, tuple + 6, TUPLE_HEADER | ALTERNATIVE_TID);
    PageItems.putItemId(page, HIGH_KEY, PageItems.normal(tuple, TUPLE_HEADER));
    putU16(page, Page.LOWER, Page.HEADER_SIZE + 4);
    putU16(page, Page.UPPER, tuple);
  }

  /** Makes a deleted page, which keeps the transaction id from which on it can be reused. */
  static void initDeleted(byte[] page, int previous, int next, int level, long safeFullXid) {
    init(page, previous, next, level, DELETED | HAS_FULL_XID | (level == 0 ? LEAF : 0));
    putI64(page, Page.HEADER_SIZE, safeFullXid);
    putU16(page, Page.LOWER, Page.HEADER_SIZE + 8);
  }

  /**
   * Fills an empty page from tuples logged as they lay on it, the last item first ({@code
   * _bt_restore_page}).
   */
  static void restoreItems(byte[] page, byte[] from, int offset, int length) {
    int items = 0;
    int end = offset + length;
    for (int at = offset; at < end; items++) {
      at += tupleSize(from, at, end);
    }
    int lower = Page.HEADER_SIZE + items * 4;
    int upper = OPAQUE - length;
    if (lower > upper) {
      throw new RedoException(items + " items of " + length + " bytes do not fit");
    }
    System.arraycopy(from, offset, page, upper, length);
    int number = items;
    for (int at = upper; at < OPAQUE; number--) {
      int size = PageItems.align(u16(page, at + 6) & SIZE_MASK);
      PageItems.putItemId(page, number, PageItems.normal(at, size));
      at += size;
    }
    putU16(page, Page.LOWER, lower);
    putU16(page, Page.UPPER, upper);
  }

  /**
   * The size, rounded up to 8, of the tuple at {@code offset}, which must end before {@code end}.
   */
  static int tupleSize(byte[] bytes, int offset, int end) {
    int size =
        end - offset < TUPLE_HEADER ? 0 : PageItems.align(u16(bytes, offset + 6) & SIZE_MASK);
    if (size < TUPLE_HEADER || size > end - offset) {
      throw new RedoException("tuple of " + size + " bytes where " + (end - offset) + " are left");
    }
    return size;
  }

  static int rawTupleSize(byte[] bytes, int tuple) {
    return u16(bytes, tuple + 6) & SIZE_MASK;
  }

  /** Where item {@code number}, checked to hold the tuple it claims, starts. */
  static int tuple(byte[] page, int number) {
    int offset = PageItems.item(page, number, TUPLE_HEADER);
    if (rawTupleSize(page, offset) > PageItems.length(PageItems.itemId(page, number))) {
      throw new RedoException("tuple of item " + number + " is longer than the item");
    }
    return offset;
  }

  static int tidBlock(byte[] bytes, int tid) {
    return u16(bytes, tid) << 16 | u16(bytes, tid + 2);
  }

  static void putTidBlock(byte[] bytes, int tid, int block) {
    putU16(bytes, tid, block >>> 16);
    putU16(bytes, tid + 2, block);
  }

  static void copyTid(byte[] from, int fromTid, byte[] to, int toTid) {
    System.arraycopy(from, fromTid, to, toTid, TID_SIZE);
  }

  static boolean isPosting(byte[] bytes, int tuple) {
    return (u16(bytes, tuple + 6) & ALTERNATIVE_TID) != 0 && (u16(bytes, tuple + 4) & POSTING) != 0;
  }

  /** How many heap TIDs a leaf tuple has. */
  static int tidCount(byte[] bytes, int tuple) {
    return isPosting(bytes, tuple) ? u16(bytes, tuple + 4) & COUNT_MASK : 1;
  }

  /**
   * Where the TIDs of a posting tuple start within it, which is the size of its key part; for a
   * plain tuple its whole size.
   */
  static int keySize(byte[] bytes, int tuple) {
    return isPosting(bytes, tuple) ? tidBlock(bytes, tuple) : rawTupleSize(bytes, tuple);
  }

  /** Rejects a posting tuple whose TIDs do not lie in it. */
  static void checkPosting(byte[] bytes, int tuple) {
    int keySize = keySize(bytes, tuple);
    if (!isPosting(bytes, tuple)
        || keySize < TUPLE_HEADER
        || keySize + tidCount(bytes, tuple) * TID_SIZE > rawTupleSize(bytes, tuple)) {
      throw new RedoException("not a sound posting list tuple");
    }
  }

  /** Where TID {@code index} of the tuple stands. */
  static int tid(byte[] bytes, int tuple, int index) {
    return isPosting(bytes, tuple) ? tuple + tidBlock(bytes, tuple) + index * TID_SIZE : tuple;
  }

  /**
   * Turns the tuple's header into that of one with {@code count} TIDs behind its key, or of a plain
   * one.
   */
  static void setTidCount(byte[] bytes, int tuple, int count, int keySize, int size) {
    int info = u16(bytes, tuple + 6) & ~(SIZE_MASK | ALTERNATIVE_TID) | size;
    if (count > 1) {
      info |= ALTERNATIVE_TID;
      putU16(bytes, tuple + 4, count | POSTING);
      putTidBlock(bytes, tuple, keySize);
    }
    putU16(bytes, tuple + 6, info);
  }

  /** The size of a tuple with this key and so many TIDs. */
  static int sizeWithTids(int keySize, int count) {
    return count > 1 ? PageItems.align(keySize + count * TID_SIZE) : keySize;
  }

  /**
   * Splits a posting list: the new tuple's TID goes into it at {@code postingOffset}, and its last
   * TID becomes the new tuple's ({@code _bt_swap_posting}).
   */
  static void swapPosting(
      byte[] bytes, int posting, int postingOffset, byte[] newBytes, int newTuple) {
    checkPosting(bytes, posting);
    int count = tidCount(bytes, posting);
    if (postingOffset <= 0 || postingOffset >= count) {
      throw new RedoException("posting list of " + count + " TIDs is split at " + postingOffset);
    }
    int last = tid(bytes, posting, count - 1);
    int block = LittleEndian.i32(bytes, last);
    int item = u16(bytes, last + 4);
    int place = tid(bytes, posting, postingOffset);
    System.arraycopy(bytes, place, bytes, place + TID_SIZE, last - place);
    copyTid(newBytes, newTuple, bytes, place);
    putI32(newBytes, newTuple, block);
    putU16(newBytes, newTuple + 4, item);
  }

  /** An empty page with the special space of {@code page} ({@code PageGetTempPageCopySpecial}). */
  static byte[] emptyLike(byte[] page) {
    byte[] made = new byte[Page.SIZE];
    Page.init(made, SPECIAL_SIZE);
    putI64(made, OPAQUE, i64(page, OPAQUE));
    putI64(made, OPAQUE + 8, i64(page, OPAQUE + 8));
    return made;
  }

  /** Takes over a rebuilt page, keeping the LSN. */
  static void replace(byte[] page, byte[] made) {
    Page.setLsn(made, Page.lsn(page));
    System.arraycopy(made, 0, page, 0, Page.SIZE);
  }
}
