package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;

import dev.varve.engine.postgres.Page;
import org.jspecify.annotations.Nullable;

/**
 * What heap redo does to a page as a whole: finding tuples, line pointers that are redirected, dead
 * or unused, and compaction. Follows PostgreSQL 15 to 18 {@code src/backend/storage/page/bufpage.c}
 * and {@code src/backend/access/heap/pruneheap.c}.
 */
final class HeapPage {
  private static final int LP_REDIRECT = 2;
  private static final int LP_DEAD = 3;

  /** Tuples as they were before they are moved. */
  private static final ThreadLocal<byte[]> OLD = ThreadLocal.withInitial(() -> new byte[Page.SIZE]);

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
   */
  static void repairFragmentation(byte[] page) {
    PageItems.checkHeader(page);
    int count = Page.itemCount(page);
    int special = Page.special(page);
    int oldUpper = Page.upper(page);
    byte[] old = null;
    int upper = special;
    // Items that follow each other in the page as they do in number are moved as one run.
    int runStart = special;
    int runEnd = special;
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
      int length = PageItems.length(itemId);
      if (length == 0) {
        continue;
      }
      int offset = PageItems.offset(itemId);
      int size = PageItems.align(length);
      upper -= size;
      if (offset < oldUpper || offset + size > special || (offset & 7) != 0 || upper < oldUpper) {
        throw new RedoException("item " + number + " is at " + offset + " with " + size + " bytes");
      }
      if (offset + size != runStart) {
        old = moveRun(page, old, oldUpper, special, runStart, runEnd, upper + size);
        runEnd = offset + size;
      }
      runStart = offset;
      if (offset != upper) {
        PageItems.putItemId(page, number, itemId & ~0x7FFF | upper);
      }
    }
    moveRun(page, old, oldUpper, special, runStart, runEnd, upper);
    putU16(page, Page.UPPER, upper);
    int dropped = count - lastUsed;
    putU16(page, Page.LOWER, Page.lower(page) - 4 * dropped);
    setFreeLinesHint(page, unused > dropped);
  }

  /**
   * Moves the tuples that lay in {@code [start, end)} to {@code to}.
   *
   * @param old the tuples as they were, null while none has been moved
   * @return them
   */
  private static byte @Nullable [] moveRun(
      byte[] page, byte @Nullable [] old, int upper, int special, int start, int end, int to) {
    if (start == end || start == to) {
      return old;
    }
    byte[] from = old;
    if (from == null) {
      from = OLD.get();
      System.arraycopy(page, upper, from, upper, special - upper);
    }
    System.arraycopy(from, start, page, to, end - start);
    return from;
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
