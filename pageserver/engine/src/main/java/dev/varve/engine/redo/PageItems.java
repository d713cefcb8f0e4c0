package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;

/**
 * Adding, replacing and deleting the items of a page, byte for byte as PostgreSQL leaves them, the
 * free space included. Items are numbered from 1; 0 stands for {@code InvalidOffsetNumber}. Follows
 * PostgreSQL 17 {@code src/backend/storage/page/bufpage.c}; the same in 15 to 18.
 *
 * <p>A page or an argument that does not fit is a {@link RedoException} or an {@link
 * IndexOutOfBoundsException}; the page is undefined then.
 */
final class PageItems {
  static final int LP_UNUSED = 0;
  static final int LP_NORMAL = 1;

  /** {@code MaxIndexTuplesPerPage} and more: what fits between header and page end. */
  private static final int MOST_ITEMS = (Page.SIZE - Page.HEADER_SIZE) / 4;

  private PageItems() {}

  static int align(int length) {
    return (length + 7) & ~7;
  }

  static int offset(int itemId) {
    return itemId & 0x7FFF;
  }

  static int flags(int itemId) {
    return (itemId >>> 15) & 3;
  }

  static int length(int itemId) {
    return itemId >>> 17;
  }

  /** The raw line pointer of item {@code number}, which must exist. */
  static int itemId(byte[] page, int number) {
    if (number < 1 || number > Page.itemCount(page)) {
      throw new RedoException("no item " + number + " on the page");
    }
    return i32(page, Page.itemIdOffset(number));
  }

  /**
   * Where item {@code number}, which must have at least {@code minLength} bytes within the page,
   * starts.
   */
  static int item(byte[] page, int number, int minLength) {
    int itemId = itemId(page, number);
    int offset = offset(itemId);
    int length = length(itemId);
    if (length < minLength || offset < Page.HEADER_SIZE || offset + length > Page.SIZE) {
      throw new RedoException("item " + number + " is at " + offset + " with " + length + " bytes");
    }
    return offset;
  }

  static int normal(int offset, int length) {
    return offset | (LP_NORMAL << 15) | (length << 17);
  }

  static void putItemId(byte[] page, int number, int itemId) {
    putI32(page, Page.itemIdOffset(number), itemId);
  }

  /** Rejects header pointers that are out of order. */
  static void checkHeader(byte[] page) {
    int lower = Page.lower(page);
    int upper = Page.upper(page);
    int special = Page.special(page);
    if (lower < Page.HEADER_SIZE
        || lower > upper
        || upper > special
        || special > Page.SIZE
        || (special & 7) != 0) {
      throw new RedoException(
          "page pointers: lower " + lower + ", upper " + upper + ", special " + special);
    }
  }

  /**
   * Adds an item ({@code PageAddItem}): as item {@code number}, moving up the later ones, or at the
   * first free number when it is 0.
   *
   * @return its number
   */
  static int add(byte[] page, byte[] from, int offset, int length, int number) {
    return add(page, from, offset, length, number, false);
  }

  /**
   * Adds an item.
   *
   * @param overwrite the number is one past the last or names an unused line pointer ({@code
   *     PAI_OVERWRITE})
   */
  static int add(byte[] page, byte[] from, int offset, int length, int number, boolean overwrite) {
    checkHeader(page);
    int lower = Page.lower(page);
    int limit = Page.itemCount(page) + 1;
    int place = number;
    boolean shift = false;
    if (place == 0) {
      place = limit;
      if (Page.hasFlag(page, Page.HAS_FREE_LINES)) {
        place = 1;
        while (place < limit && (i32(page, Page.itemIdOffset(place)) & ~0x7FFF) != 0) {
          place++;
        }
        if (place == limit) {
          Page.clearFlag(page, Page.HAS_FREE_LINES);
        }
      }
    } else if (place < limit) {
      if (overwrite) {
        if ((i32(page, Page.itemIdOffset(place)) & ~0x7FFF) != 0) {
          throw new RedoException("item " + place + " is in use");
        }
      } else {
        shift = true;
      }
    }
    if (place < 0 || place > limit) {
      throw new RedoException("item " + place + " is not next to the page's " + (limit - 1));
    }
    int newLower = place == limit || shift ? lower + 4 : lower;
    int newUpper = Page.upper(page) - align(length);
    if (length < 0 || newLower > newUpper) {
      throw new RedoException("an item of " + length + " bytes does not fit");
    }
    int lineOffset = Page.itemIdOffset(place);
    if (shift) {
      System.arraycopy(page, lineOffset, page, lineOffset + 4, (limit - place) * 4);
    }
    putI32(page, lineOffset, normal(newUpper, length));
    System.arraycopy(from, offset, page, newUpper, length);
    putU16(page, Page.LOWER, newLower);
    putU16(page, Page.UPPER, newUpper);
    return place;
  }

  /** Deletes an item and its line pointer; later items move down ({@code PageIndexTupleDelete}). */
  static void delete(byte[] page, int number) {
    checkHeader(page);
    int itemId = itemId(page, number);
    int count = Page.itemCount(page);
    int line = Page.itemIdOffset(number);
    System.arraycopy(page, line + 4, page, line, (count - number) * 4);
    putU16(page, Page.LOWER, Page.lower(page) - 4);
    closeGap(page, itemId);
  }

  /**
   * Deletes an item; its line pointer becomes unused, or goes when it is the last ({@code
   * PageIndexTupleDeleteNoCompact}).
   */
  static void deleteKeepingNumbers(byte[] page, int number) {
    checkHeader(page);
    int itemId = itemId(page, number);
    if (number < Page.itemCount(page)) {
      putItemId(page, number, 0);
    } else {
      putU16(page, Page.LOWER, Page.lower(page) - 4);
    }
    closeGap(page, itemId);
  }

  /** Moves the tuples below a deleted one up over it. */
  private static void closeGap(byte[] page, int deleted) {
    int offset = offset(deleted);
    int size = align(length(deleted));
    int upper = Page.upper(page);
    if (offset < upper || offset + size > Page.special(page) || (offset & 7) != 0) {
      throw new RedoException("deleted item is at " + offset + " with " + size + " bytes");
    }
    shiftTuples(page, upper, offset, size);
  }

  /**
   * Moves the tuples in {@code [upper, offset)} by {@code delta} bytes, their line pointers and the
   * one at {@code offset} too.
   */
  private static void shiftTuples(byte[] page, int upper, int offset, int delta) {
    System.arraycopy(page, upper, page, upper + delta, offset - upper);
    putU16(page, Page.UPPER, upper + delta);
    int count = Page.itemCount(page);
    for (int i = 1; i <= count; i++) {
      int line = Page.itemIdOffset(i);
      int itemId = i32(page, line);
      if (length(itemId) != 0 && offset(itemId) <= offset) {
        putI32(page, line, (itemId & ~0x7FFF) | ((offset(itemId) + delta) & 0x7FFF));
      }
    }
  }

  /**
   * Replaces an item by one of another length in the same place ({@code PageIndexTupleOverwrite}).
   */
  static void overwrite(byte[] page, int number, byte[] from, int fromOffset, int length) {
    checkHeader(page);
    int itemId = itemId(page, number);
    int offset = offset(itemId);
    int oldSize = align(length(itemId));
    int upper = Page.upper(page);
    if (offset < upper || offset + oldSize > Page.special(page) || (offset & 7) != 0) {
      throw new RedoException("replaced item is at " + offset + " with " + oldSize + " bytes");
    }
    int delta = oldSize - align(length);
    if (length < 0 || -delta > upper - Page.lower(page)) {
      throw new RedoException(
          "an item of " + length + " bytes does not fit in place of " + oldSize);
    }
    if (delta != 0) {
      shiftTuples(page, upper, offset, delta);
    }
    putItemId(page, number, (itemId & 0x18000) | (offset + delta) | (length << 17));
    System.arraycopy(from, fromOffset, page, offset + delta, length);
  }

  /**
   * Deletes items whose numbers, ascending, stand as {@code u16[count]} at {@code numbersOffset}
   * ({@code PageIndexMultiDelete}): one or two of them one by one, more by laying all remaining
   * tuples anew in item order.
   */
  static void deleteAll(byte[] page, byte[] numbers, int numbersOffset, int count) {
    if (count <= 2) {
      for (int i = count - 1; i >= 0; i--) {
        delete(page, u16(numbers, numbersOffset + i * 2));
      }
      return;
    }
    checkHeader(page);
    int items = Page.itemCount(page);
    int next = 0;
    int kept = 0;
    for (int number = 1; number <= items; number++) {
      if (next < count && u16(numbers, numbersOffset + next * 2) == number) {
        next++;
      } else {
        kept++;
        putItemId(page, kept, i32(page, Page.itemIdOffset(number)));
      }
    }
    if (next != count) {
      throw new RedoException("items to delete are not in order or not on the page");
    }
    putU16(page, Page.LOWER, Page.itemIdOffset(kept + 1));
    compact(page, kept);
  }

  /**
   * Lays the tuples of the first {@code count} items from the special space down, in item order
   * ({@code compactify_tuples}).
   */
  private static void compact(byte[] page, int count) {
    byte[] old = page.clone();
    int oldUpper = Page.upper(old);
    int special = Page.special(old);
    int upper = special;
    for (int number = 1; number <= count; number++) {
      int line = Page.itemIdOffset(number);
      int itemId = i32(page, line);
      int offset = offset(itemId);
      int size = align(length(itemId));
      upper -= size;
      if (offset < oldUpper || offset + size > special || (offset & 7) != 0 || upper < oldUpper) {
        throw new RedoException("item is at " + offset + " with " + size + " bytes");
      }
      System.arraycopy(old, offset, page, upper, size);
      putI32(page, line, (itemId & ~0x7FFF) | upper);
    }
    putU16(page, Page.UPPER, upper);
  }

  /** Checks a count of items before an array is made for them. */
  static int checkCount(int count) {
    if (count < 0 || count > MOST_ITEMS) {
      throw new RedoException(count + " items cannot be on one page");
    }
    return count;
  }
}
