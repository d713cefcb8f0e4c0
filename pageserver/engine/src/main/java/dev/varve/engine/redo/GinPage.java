package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;

/**
 * A GIN page: its special space, pages made from nothing and the items of a posting tree's internal
 * pages. Accessors over a {@code byte[8192]}. Follows PostgreSQL 17 {@code
 * src/include/access/ginblock.h}; the same in 15 to 18.
 */
final class GinPage {
  static final int DATA = 0x01;
  static final int LEAF = 0x02;
  static final int DELETED = 0x04;
  static final int META = 0x08;
  static final int LIST = 0x10;
  static final int LIST_FULL_ROW = 0x20;
  static final int INCOMPLETE_SPLIT = 0x40;
  static final int COMPRESSED = 0x80;

  static final int SPECIAL_SIZE = 8;
  static final int OPAQUE = Page.SIZE - SPECIAL_SIZE;
  static final int RIGHT_LINK = OPAQUE;
  static final int MAX_OFF = OPAQUE + 4;
  static final int FLAGS = OPAQUE + 6;

  /** Where a data page's contents start: behind the header and the right bound. */
  static final int CONTENTS = Page.HEADER_SIZE + 8;

  /** {@code sizeof(GinMetaPageData)}. */
  static final int META_SIZE = 56;

  /** {@code sizeof(PostingItem)}: child block, then key. */
  static final int POSTING_ITEM_SIZE = 10;

  private GinPage() {}

  /** Rejects what is not laid out as a GIN page. */
  static void check(byte[] page) {
    if (Page.special(page) != OPAQUE) {
      throw new RedoException("not a GIN page: special space at " + Page.special(page));
    }
  }

  /** Rejects a page that has not exactly {@code flags} among {@code mask}. */
  static void checkFlags(byte[] page, int mask, int flags) {
    check(page);
    if ((flags(page) & mask) != flags) {
      throw new RedoException("GIN page has flags 0x" + Integer.toHexString(flags(page)));
    }
  }

  static int flags(byte[] page) {
    return u16(page, FLAGS);
  }

  static void setFlag(byte[] page, int flag) {
    putU16(page, FLAGS, flags(page) | flag);
  }

  static void clearFlag(byte[] page, int flag) {
    putU16(page, FLAGS, flags(page) & ~flag);
  }

  static void init(byte[] page, int flags) {
    Page.init(page, SPECIAL_SIZE);
    putI32(page, RIGHT_LINK, -1);
    putU16(page, FLAGS, flags);
  }

  /** Makes the meta page from a logged {@code GinMetaPageData}. */
  static void initMeta(byte[] page, byte[] from, int offset) {
    init(page, META);
    System.arraycopy(from, offset, page, Page.HEADER_SIZE, META_SIZE);
    putU16(page, Page.LOWER, Page.HEADER_SIZE + META_SIZE);
  }

  /** Sets how many bytes a data page's contents have. */
  static void setDataSize(byte[] page, int size) {
    if (size < 0 || size > OPAQUE - CONTENTS) {
      throw new RedoException("contents of " + size + " bytes do not fit");
    }
    putU16(page, Page.LOWER, CONTENTS + size);
  }

  /**
   * Points posting item {@code number} to the right half of its child and puts a new item, for the
   * left half, before it.
   *
   * @param offset where the new {@code PostingItem} stands
   */
  static void insertPostingItem(byte[] page, byte[] from, int offset, int number, int rightChild) {
    int count = u16(page, MAX_OFF);
    checkPostingItem(number, count);
    if (CONTENTS + (count + 1) * POSTING_ITEM_SIZE > OPAQUE) {
      throw new RedoException("no room behind " + count + " posting items");
    }
    int at = CONTENTS + (number - 1) * POSTING_ITEM_SIZE;
    putU16(page, at, rightChild >>> 16);
    putU16(page, at + 2, rightChild);
    System.arraycopy(
        page, at, page, at + POSTING_ITEM_SIZE, (count - number + 1) * POSTING_ITEM_SIZE);
    System.arraycopy(from, offset, page, at, POSTING_ITEM_SIZE);
    putU16(page, MAX_OFF, count + 1);
    setDataSize(page, (count + 1) * POSTING_ITEM_SIZE);
  }

  static void deletePostingItem(byte[] page, int number) {
    int count = u16(page, MAX_OFF);
    checkPostingItem(number, count);
    int at = CONTENTS + (number - 1) * POSTING_ITEM_SIZE;
    System.arraycopy(page, at + POSTING_ITEM_SIZE, page, at, (count - number) * POSTING_ITEM_SIZE);
    putU16(page, MAX_OFF, count - 1);
    setDataSize(page, (count - 1) * POSTING_ITEM_SIZE);
  }

  private static void checkPostingItem(int number, int count) {
    if (number < 1 || number > count || CONTENTS + count * POSTING_ITEM_SIZE > OPAQUE) {
      throw new RedoException("no posting item " + number + " among " + count);
    }
  }
}
