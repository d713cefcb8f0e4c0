package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;

/**
 * A GiST page: its special space, its tuples, and pages made from nothing. Accessors over a {@code
 * byte[8192]}. Follows PostgreSQL 17 {@code src/include/access/gist.h} and {@code itup.h}; the same
 * in 15 to 18.
 */
final class GistPage {
  static final int LEAF = 0x01;
  static final int DELETED = 0x02;
  static final int TUPLES_DELETED = 0x04;
  static final int FOLLOW_RIGHT = 0x08;
  static final int HAS_GARBAGE = 0x10;

  /** Number of the root's block ({@code GIST_ROOT_BLKNO}). */
  static final int ROOT_BLOCK = 0;

  /** {@code InvalidBlockNumber}, the right link of the rightmost page. */
  static final int NO_BLOCK = -1;

  static final int SPECIAL_SIZE = 16;
  static final int OPAQUE = Page.SIZE - SPECIAL_SIZE;
  static final int NSN = OPAQUE;
  static final int RIGHT_LINK = OPAQUE + 8;
  static final int FLAGS = OPAQUE + 12;
  static final int PAGE_ID = OPAQUE + 14;

  private static final int GIST_PAGE_ID = 0xFF81;

  private static final int TUPLE_HEADER = 8;
  private static final int TUPLE_SIZE_MASK = 0x1FFF;

  private GistPage() {}

  /** Rejects what is not laid out as a GiST page. */
  static void check(byte[] page) {
    if (Page.special(page) != OPAQUE || u16(page, PAGE_ID) != GIST_PAGE_ID) {
      throw new RedoException(
          "not a GiST page: special space at "
              + Page.special(page)
              + ", page id 0x"
              + Integer.toHexString(u16(page, PAGE_ID)));
    }
    PageItems.checkHeader(page);
  }

  static boolean isLeaf(byte[] page) {
    return (u16(page, FLAGS) & LEAF) != 0;
  }

  static void setFlag(byte[] page, int flag) {
    putU16(page, FLAGS, u16(page, FLAGS) | flag);
  }

  static void clearFlag(byte[] page, int flag) {
    putU16(page, FLAGS, u16(page, FLAGS) & ~flag);
  }

  /** Sets the node sequence number, kept as {@code pd_lsn} is: two halves, the high one first. */
  static void setNsn(byte[] page, long nsn) {
    putI64(page, NSN, Long.rotateLeft(nsn, 32));
  }

  static void init(byte[] page, int flags) {
    Page.init(page, SPECIAL_SIZE);
    putI32(page, RIGHT_LINK, NO_BLOCK);
    putU16(page, FLAGS, flags);
    putU16(page, PAGE_ID, GIST_PAGE_ID);
  }

  /** Turns an empty page into a deleted one, which keeps the transaction that deleted it. */
  static void setDeleted(byte[] page, long deleteFullXid) {
    setFlag(page, DELETED);
    putU16(page, Page.LOWER, Page.HEADER_SIZE + 8);
    putI64(page, Page.HEADER_SIZE, deleteFullXid);
  }

  /**
   * Appends the tuples that stand one behind the other in {@code [offset, end)}.
   *
   * @return how many they are
   */
  static int addTuples(byte[] page, byte[] from, int offset, int end) {
    int added = 0;
    for (int at = offset; at < end; added++) {
      int size = tupleSize(from, at, end);
      PageItems.add(page, from, at, size, Page.itemCount(page) + 1);
      at += size;
    }
    return added;
  }

  /** The size of the tuple at {@code offset}, which must end before {@code end}. */
  static int tupleSize(byte[] bytes, int offset, int end) {
    int size = end - offset < TUPLE_HEADER ? 0 : u16(bytes, offset + 6) & TUPLE_SIZE_MASK;
    if (size < TUPLE_HEADER || size > end - offset) {
      throw new RedoException("tuple of " + size + " bytes where " + (end - offset) + " are left");
    }
    return size;
  }
}
