package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;

import dev.varve.engine.bytes.ScratchPool;
import dev.varve.engine.postgres.Page;

/**
 * What heap redo does to a page as a whole: finding tuples, line pointers that are redirected, dead
 * or unused, and compaction. Follows PostgreSQL 15 to 18 {@code src/backend/storage/page/bufpage.c}
 * and {@code src/backend/access/heap/pruneheap.c}.
 */
final class HeapPage {
  private static final int LP_REDIRECT = 2;
  private static final int LP_DEAD = 3;

  /** Tuples where they shall be, while those on the page must stay where they are. */
  private static final ScratchPool<byte[]> LAID_OUT = new ScratchPool<>(() -> new byte[Page.SIZE]);

  private HeapPage() {}

  /** Where the tuple of item {@code number} starts; it must be a normal one. */
  static int tuple(byte[] page, int number) {
    int itemId = PageItems.itemId(page, number);
    if (PageItems.flags(itemId) != PageItems.LP_NORMAL) {
      throw new RedoException("item " + number + " is no tuple");
    }
    return PageItems.item(page, number, HeapTuple.HEADER_BYTES);
  }

  /** {@code PageSetPrunable}. */
  static void setPrunable(byte[] page, int xid) {
    int present = i32(page, Page.PRUNE_XID);
    if (present == 0 || HeapTuple.precedes(xid, present)) {
      putI32(page, Page.PRUNE_XID, xid);
    }
  }

  static void redirect(byte[] page, int number, int to) {
    PageItems.itemId(page, number);
    PageItems.putItemId(page, number, to & 0x7FFF | LP_REDIRECT << 15);
  }

  static void setDead(byte[] page, int number) {
    PageItems.itemId(page, number);
    PageItems.putItemId(page, number, LP_DEAD << 15);
  }

  static void setUnused(byte[] page, int number) {
    PageItems.itemId(page, number);
    PageItems.putItemId(page, number, 0);
  }

  /**
   * Lays all tuples anew from the end of the page, in item order, and drops unused line pointers
   * from the end ({@code PageRepairFragmentation}).
   *
   * <p>On a busy page items with a tuple and redirected ones come in an order that no processor
   * predicts, so that both are told apart by masks rather than branches. Most tuples follow the one
   * before: only the first of such a run is looked at closely.
   */
  static void repairFragmentation(byte[] page) {
    PageItems.checkHeader(page);
    int count = Page.itemCount(page);
    int special = Page.special(page);
    int oldUpper = Page.upper(page);
    int upper = special;
    int runStart = special;
    // Negative when a run of tuples is misplaced, and when one lies above an item before it.
    int misplaced = 0;
    int disordered = 0;
    // Tuples of items before this one stay where they are.
    int firstMoved = 0;
    int movedEnd = special;
    int lastUsed = 0;
    int unused = 0;
    for (int number = 1; number <= count; number++) {
      int itemId = i32(page, Page.itemIdOffset(number));
      if (PageItems.flags(itemId) == PageItems.LP_UNUSED) {
        PageItems.putItemId(page, number, 0);
        unused++;
        continue;
      }
      lastUsed = number;
      int hasTuple = hasTuple(itemId);
      int offset = PageItems.offset(itemId);
      int size = PageItems.align(PageItems.length(itemId));
      if ((hasTuple & (offset + size ^ runStart)) != 0) {
        misplaced |= runStart - oldUpper | special - size - offset | -(offset & 7);
        disordered |= runStart - size - offset;
        if (firstMoved == 0) {
          firstMoved = number;
          movedEnd = upper;
        }
      }
      runStart = hasTuple & offset | ~hasTuple & runStart;
      upper -= size;
    }
    misplaced |= runStart - oldUpper;
    if (misplaced < 0 || upper < oldUpper) {
      throw new RedoException(
          "tuples of %d bytes, some misplaced, between %d and %d"
              .formatted(special - upper, oldUpper, special));
    }
    if (firstMoved != 0) {
      // In descending order every tuple moves up, over none that has not been moved.
      if (disordered < 0) {
        byte[] to = LAID_OUT.take();
        moveTuples(page, firstMoved, lastUsed, movedEnd, to);
        System.arraycopy(to, upper, page, upper, movedEnd - upper);
        LAID_OUT.give(to);
      } else {
        moveTuples(page, firstMoved, lastUsed, movedEnd, page);
      }
    }
    putU16(page, Page.UPPER, upper);
    int dropped = count - lastUsed;
    putU16(page, Page.LOWER, Page.lower(page) - 4 * dropped);
    setFreeLinesHint(page, unused > dropped);
  }

  /** All ones when the item has a tuple, else 0. */
  private static int hasTuple(int itemId) {
    return -PageItems.length(itemId) >> 31;
  }

  /**
   * Lays the tuples of items {@code [first, last]} one below the other in {@code to}, the first one
   * to end at {@code end}, and points their items there. Tuples that follow each other on the page
   * as they do in number are copied as one run.
   */
  private static void moveTuples(byte[] page, int first, int last, int end, byte[] to) {
    int upper = end;
    int runStart = end;
    int runEnd = end;
    for (int number = first; number <= last; number++) {
      int itemId = i32(page, Page.itemIdOffset(number));
      int hasTuple = hasTuple(itemId);
      int offset = PageItems.offset(itemId);
      int size = PageItems.align(PageItems.length(itemId));
      if ((hasTuple & (offset + size ^ runStart)) != 0) {
        System.arraycopy(page, runStart, to, upper, runEnd - runStart);
        runEnd = offset + size;
      }
      runStart = hasTuple & offset | ~hasTuple & runStart;
      upper -= size;
      PageItems.putItemId(page, number, itemId + (hasTuple & upper - offset));
    }
    System.arraycopy(page, runStart, to, upper, runEnd - runStart);
  }

  /**
   * Drops unused line pointers from the end, but never the first ({@code
   * PageTruncateLinePointerArray}).
   */
  static void truncateLinePointers(byte[] page) {
    int count = Page.itemCount(page);
    int last = count;
    while (last > 1 && isUnused(page, last)) {
      last--;
    }
    boolean hint = false;
    for (int number = last; number >= 1 && !hint; number--) {
      hint = isUnused(page, number);
    }
    putU16(page, Page.LOWER, Page.lower(page) - 4 * (count - last));
    setFreeLinesHint(page, hint);
  }

  private static boolean isUnused(byte[] page, int number) {
    return PageItems.flags(i32(page, Page.itemIdOffset(number))) == PageItems.LP_UNUSED;
  }

  private static void setFreeLinesHint(byte[] page, boolean hint) {
    if (hint) {
      Page.setFlag(page, Page.HAS_FREE_LINES);
    } else {
      Page.clearFlag(page, Page.HAS_FREE_LINES);
    }
  }
}
