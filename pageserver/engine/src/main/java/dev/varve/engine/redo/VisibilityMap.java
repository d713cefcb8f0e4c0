package dev.varve.engine.redo;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * Arithmetic of the visibility map: two bits a heap block, four heap blocks a byte, low bits first,
 * behind an ordinary page header. Stateless. Heap block numbers are unsigned. Follows PostgreSQL 17
 * {@code src/backend/access/heap/visibilitymap.c}.
 */
public final class VisibilityMap {
  /** {@code VISIBILITYMAP_ALL_VISIBLE}. */
  public static final int ALL_VISIBLE = 1;

  /** {@code VISIBILITYMAP_ALL_FROZEN}. */
  public static final int ALL_FROZEN = 2;

  /** {@code HEAPBLOCKS_PER_PAGE}: 32672. */
  public static final int BLOCKS_PER_PAGE = (Page.SIZE - Page.HEADER_SIZE) * 4;

  private VisibilityMap() {}

  /** The map page with the bits of this heap block. */
  public static int page(int heapBlock) {
    return Integer.divideUnsigned(heapBlock, BLOCKS_PER_PAGE);
  }

  /** The heap block's place on that page, 0 to {@link #BLOCKS_PER_PAGE} − 1. */
  public static int entry(int heapBlock) {
    return Integer.remainderUnsigned(heapBlock, BLOCKS_PER_PAGE);
  }

  /** Bits 0 to 3 of an entry. */
  public static int bits(byte[] page, int entry) {
    return page[Page.HEADER_SIZE + (entry >> 2)] >> ((entry & 3) * 2) & 3;
  }

  /** Clears bits of an entry; a page never initialised stays as it is. */
  public static void clear(byte[] page, int entry, int bits) {
    page[Page.HEADER_SIZE + (entry >> 2)] &= (byte) ~((bits & 3) << ((entry & 3) * 2));
  }

  /** Sets bits of an entry of an initialised page. */
  public static void set(byte[] page, int entry, int bits) {
    page[Page.HEADER_SIZE + (entry >> 2)] |= (byte) ((bits & 3) << ((entry & 3) * 2));
  }

  /**
   * How many map pages stay when the heap is cut to {@code heapBlocks}; the last one may need
   * {@link #truncate}.
   */
  public static int pagesFor(int heapBlocks) {
    return page(heapBlocks) + (entry(heapBlocks) == 0 ? 0 : 1);
  }

  /**
   * Clears everything from {@code entry} on ({@code visibilitymap_prepare_truncate}); initialises
   * the page when it never was.
   */
  static void truncate(byte[] page, int entry) {
    if (Page.isNew(page)) {
      Page.init(page, 0);
    }
    int at = Page.HEADER_SIZE + (entry >> 2);
    page[at] &= (byte) ((1 << (entry & 3) * 2) - 1);
    Arrays.fill(page, at + 1, Page.SIZE, (byte) 0);
  }
}
