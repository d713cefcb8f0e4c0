package dev.varve.engine.redo;

import dev.varve.engine.postgres.Page;

/**
 * Arithmetic of the free space map: a tree of pages three levels deep, each page a binary tree of
 * maxima over byte-wide slots, stored depth first. Stateless. Follows PostgreSQL 17 {@code
 * src/backend/storage/freespace/freespace.c}, {@code fsmpage.c} and {@code
 * src/include/storage/fsm_internals.h}.
 */
public final class FreeSpaceMap {
  /** Where the nodes begin: page header and {@code fp_next_slot}. */
  static final int NODES = Page.HEADER_SIZE + 4;

  static final int NODES_PER_PAGE = Page.SIZE - NODES;
  static final int INNER_NODES_PER_PAGE = Page.SIZE / 2 - 1;

  /** {@code SlotsPerFSMPage}: 4069. */
  public static final int SLOTS_PER_PAGE = NODES_PER_PAGE - INNER_NODES_PER_PAGE;

  private static final int DEPTH = 3;

  private FreeSpaceMap() {}

  /** The slot of a heap block on its bottom page. */
  public static int slot(int heapBlock) {
    return Integer.remainderUnsigned(heapBlock, SLOTS_PER_PAGE);
  }

  /**
   * The block, in the fork, of the bottom page with the slot of a heap block ({@code
   * fsm_logical_to_physical}).
   */
  public static int bottomPage(int heapBlock) {
    int number = Integer.divideUnsigned(heapBlock, SLOTS_PER_PAGE);
    int pages = 0;
    for (int level = 0; level < DEPTH; level++) {
      pages += number + 1;
      number /= SLOTS_PER_PAGE;
    }
    return pages - 1;
  }

  /**
   * How many pages stay when the heap is cut to {@code heapBlocks}; the last one may need {@link
   * #truncate}.
   */
  public static int pagesFor(int heapBlocks) {
    return bottomPage(heapBlocks) + (slot(heapBlocks) == 0 ? 0 : 1);
  }

  /**
   * Clears the slots from {@code slot} on and mends the tree over them ({@code
   * fsm_truncate_avail}); initialises the page when it never was.
   */
  static void truncate(byte[] page, int slot) {
    if (Page.isNew(page)) {
      Page.init(page, 0);
    }
    boolean changed = false;
    for (int node = INNER_NODES_PER_PAGE + slot; node < NODES_PER_PAGE; node++) {
      changed |= page[NODES + node] != 0;
      page[NODES + node] = 0;
    }
    if (changed) {
      rebuild(page);
    }
  }

  private static void rebuild(byte[] page) {
    for (int node = INNER_NODES_PER_PAGE - 1; node >= 0; node--) {
      int left = 2 * node + 1;
      int value = left < NODES_PER_PAGE ? page[NODES + left] & 0xFF : 0;
      if (left + 1 < NODES_PER_PAGE) {
        value = Math.max(value, page[NODES + left + 1] & 0xFF);
      }
      page[NODES + node] = (byte) value;
    }
  }
}
