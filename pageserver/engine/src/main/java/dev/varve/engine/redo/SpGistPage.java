package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * An SP-GiST page: its special space with counters of redirects and placeholders, and its tuples.
 * Accessors over a {@code byte[8192]}. Follows PostgreSQL 17 {@code
 * src/include/access/spgist_private.h}, {@code src/backend/access/spgist/spgutils.c} and {@code
 * spgdoinsert.c}; the same in 15 to 18.
 *
 * <p>The lowest two bits of a tuple are its state. A live tuple is an inner one (a prefix and
 * nodes, each with a downlink) or a leaf one (an index entry, chained to the next of the same
 * node); all others are dead tuples of one size, which keep the numbers of items that links name.
 */
final class SpGistPage {
  static final int LEAF = 0x04;
  static final int NULLS = 0x08;

  static final int LIVE = 0;
  static final int REDIRECT = 1;
  static final int DEAD = 2;
  static final int PLACEHOLDER = 3;

  static final int SPECIAL_SIZE = 8;
  static final int OPAQUE = Page.SIZE - SPECIAL_SIZE;
  static final int FLAGS = OPAQUE;
  static final int REDIRECTS = OPAQUE + 2;
  static final int PLACEHOLDERS = OPAQUE + 4;
  static final int PAGE_ID = OPAQUE + 6;
  private static final int SPGIST_PAGE_ID = 0xFF82;

  /** {@code SGDTSIZE}: a dead tuple, and the least that any tuple has. */
  static final int DEAD_SIZE = 16;

  /** In a leaf tuple behind state and size: two flag bits, then the next item of the chain. */
  private static final int LEAF_INFO = 4;

  private static final int NEXT_MASK = 0x3FFF;

  /** In a dead tuple: what a redirect points to (block as two halves, item), then its xid. */
  private static final int DEAD_POINTER = 6;

  /** In an inner tuple: state, two counts, the prefix's size; then the tuple's size. */
  private static final int INNER_SIZE = 4;

  private static final int INNER_HEADER = 8;
  private static final int NODE_HEADER = 8;
  private static final int NODE_SIZE_MASK = 0x1FFF;

  private SpGistPage() {}

  /** Rejects what is not laid out as an SP-GiST page. */
  static void check(byte[] page) {
    if (Page.special(page) != OPAQUE || u16(page, PAGE_ID) != SPGIST_PAGE_ID) {
      throw new RedoException(
          "not an SP-GiST page: special space at "
              + Page.special(page)
              + ", id 0x"
              + Integer.toHexString(u16(page, PAGE_ID)));
    }
  }

  static void init(byte[] page, int flags) {
    Page.init(page, SPECIAL_SIZE);
    putU16(page, FLAGS, flags);
    putU16(page, PAGE_ID, SPGIST_PAGE_ID);
  }

  /**
   * Length in bytes of the leaf tuple at {@code offset}, which must end at {@code end} or below.
   */
  static int leafSize(byte[] bytes, int offset, int end) {
    return checkedSize(end - offset < DEAD_SIZE ? 0 : i32(bytes, offset) >>> 2, end - offset);
  }

  /** Length in bytes of the inner tuple at {@code offset}, as {@link #leafSize}. */
  static int innerSize(byte[] bytes, int offset, int end) {
    return checkedSize(
        end - offset < DEAD_SIZE ? 0 : u16(bytes, offset + INNER_SIZE), end - offset);
  }

  private static int checkedSize(int size, int left) {
    if (size < DEAD_SIZE || size > left || (size & 7) != 0) {
      throw new RedoException("tuple of " + size + " bytes where " + left + " are left");
    }
    return size;
  }

  /** Puts a tuple where a placeholder is, or behind the last item. */
  static void addOrReplace(byte[] page, byte[] from, int offset, int size, int number) {
    if (number <= Page.itemCount(page)) {
      demandState(page, number, PLACEHOLDER);
      count(page, PLACEHOLDERS, -1);
      PageItems.delete(page, number);
    }
    insert(page, from, offset, size, number);
  }

  /** Puts a tuple where another one is. */
  static void replace(byte[] page, byte[] from, int offset, int size, int number) {
    PageItems.delete(page, number);
    insert(page, from, offset, size, number);
  }

  private static void insert(byte[] page, byte[] from, int offset, int size, int number) {
    if (number == 0) {
      throw new RedoException("a tuple without an item number");
    }
    PageItems.add(page, from, offset, size, number);
  }

  /**
   * Makes items dead ({@code spgPageIndexMultiDelete}): deletes them all, then puts dead tuples at
   * their numbers, in ascending order.
   *
   * @param numbers the items, in any order
   * @param firstState what the item that {@code numbers} names first becomes
   * @param otherState what all others become
   * @param block where redirects point to
   */
  static void makeDead(
      byte[] page, int[] numbers, int firstState, int otherState, int block, int item, int xid) {
    if (numbers.length == 0) {
      return;
    }
    int[] sorted = numbers.clone();
    Arrays.sort(sorted);
    byte[] raw = new byte[sorted.length * 2];
    for (int i = 0; i < sorted.length; i++) {
      if (i > 0 && sorted[i] == sorted[i - 1]) {
        throw new RedoException("item " + sorted[i] + " is named twice");
      }
      putU16(raw, i * 2, sorted[i]);
    }
    PageItems.deleteAll(page, raw, 0, sorted.length);
    for (int number : sorted) {
      int state = number == numbers[0] ? firstState : otherState;
      insert(page, dead(state, block, item, xid), 0, DEAD_SIZE, number);
      countDead(page, state);
    }
  }

  /** Makes one item a dead tuple in the same place. */
  static void makeDead(byte[] page, int number, int state, int block, int item, int xid) {
    replace(page, dead(state, block, item, xid), 0, DEAD_SIZE, number);
    countDead(page, state);
  }

  private static void countDead(byte[] page, int state) {
    if (state == REDIRECT) {
      count(page, REDIRECTS, 1);
    } else if (state == PLACEHOLDER) {
      count(page, PLACEHOLDERS, 1);
    }
  }

  /** Only a redirect has a pointer and the xid that made it. */
  private static byte[] dead(int state, int block, int item, int xid) {
    boolean redirect = state == REDIRECT;
    ByteWriter out = new ByteWriter();
    out.i32(state | DEAD_SIZE << 2);
    out.u16(0);
    out.u16(redirect ? block >>> 16 : 0xFFFF);
    out.u16(redirect ? block & 0xFFFF : 0xFFFF);
    out.u16(redirect ? item : 0);
    out.i32(redirect ? xid : 0);
    return out.toByteArray();
  }

  /** Turns a redirect into a placeholder; its xid stays. */
  static void forgetRedirect(byte[] page, int number) {
    int tuple = demandState(page, number, REDIRECT);
    putI32(page, tuple, i32(page, tuple) & ~3 | PLACEHOLDER);
    putI32(page, tuple + DEAD_POINTER, -1);
    putU16(page, tuple + DEAD_POINTER + 4, 0);
    count(page, REDIRECTS, -1);
    count(page, PLACEHOLDERS, 1);
  }

  /** Deletes the placeholders from item {@code first} to the last. */
  static void deletePlaceholders(byte[] page, int first) {
    int last = Page.itemCount(page);
    if (first < 1 || first > last) {
      throw new RedoException("no placeholder " + first + " among " + last + " items");
    }
    byte[] numbers = new byte[(last - first + 1) * 2];
    for (int number = first; number <= last; number++) {
      demandState(page, number, PLACEHOLDER);
      putU16(numbers, (number - first) * 2, number);
    }
    count(page, PLACEHOLDERS, first - last - 1);
    PageItems.deleteAll(page, numbers, 0, last - first + 1);
  }

  /** Exchanges two line pointers. */
  static void swap(byte[] page, int number, int other) {
    int itemId = PageItems.itemId(page, number);
    PageItems.putItemId(page, number, PageItems.itemId(page, other));
    PageItems.putItemId(page, other, itemId);
  }

  /** Chains leaf tuple {@code number} to item {@code next}, 0 for the chain's end. */
  static void setNext(byte[] page, int number, int next) {
    int info = demandState(page, number, LIVE) + LEAF_INFO;
    putU16(page, info, u16(page, info) & ~NEXT_MASK | next & NEXT_MASK);
  }

  /** Points node {@code node}, from 0, of inner tuple {@code number} to an item of a block. */
  static void setDownlink(byte[] page, int number, int node, int block, int item) {
    int tuple = demandState(page, number, LIVE);
    int header = i32(page, tuple);
    int size = u16(page, tuple + INNER_SIZE);
    int nodes = header >>> 3 & 0x1FFF;
    int end = tuple + Math.min(size, PageItems.length(PageItems.itemId(page, number)));
    int at = tuple + INNER_HEADER + (header >>> 16);
    for (int i = 0; i < nodes && at + NODE_HEADER <= end; i++) {
      if (i == node) {
        putU16(page, at, block >>> 16);
        putU16(page, at + 2, block);
        putU16(page, at + 4, item);
        return;
      }
      at += u16(page, at + 6) & NODE_SIZE_MASK;
    }
    throw new RedoException("no node " + node + " among the " + nodes + " of item " + number);
  }

  /** The offset of item {@code number}, which must be in this state. */
  private static int demandState(byte[] page, int number, int state) {
    int tuple = PageItems.item(page, number, DEAD_SIZE);
    if ((i32(page, tuple) & 3) != state) {
      throw new RedoException(
          "item " + number + " is in state " + (i32(page, tuple) & 3) + ", not " + state);
    }
    return tuple;
  }

  private static void count(byte[] page, int counter, int change) {
    int value = u16(page, counter) + change;
    if (value < 0) {
      throw new RedoException(
          (counter == REDIRECTS ? "redirects" : "placeholders") + " are " + -value + " too few");
    }
    putU16(page, counter, value);
  }
}
