package dev.varve.engine.timeline;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;

/**
 * Which pages of an SLRU exist: from {@code firstPage} to before {@code endPage}. Page numbers are
 * those of PostgreSQL; for multixacts they wrap, and then {@code endPage} is the smaller one.
 * Equal: none.
 */
record SlruBounds(long firstPage, long endPage) {
  static final int BYTES = 16;
  static final SlruBounds NONE = new SlruBounds(0, 0);

  static SlruBounds decode(byte[] bytes) {
    return new SlruBounds(LittleEndian.i64(bytes, 0), LittleEndian.i64(bytes, 8));
  }

  byte[] encode() {
    byte[] bytes = new byte[BYTES];
    LittleEndian.putI64(bytes, 0, firstPage);
    LittleEndian.putI64(bytes, 8, endPage);
    return bytes;
  }

  /**
   * The same with {@code page} as the newest.
   *
   * @param pages how many page numbers there are
   */
  SlruBounds withPage(long page, long pages) {
    long end = page + 1 == pages ? 0 : page + 1;
    return new SlruBounds(firstPage == endPage ? page : firstPage, end);
  }

  boolean isEmpty() {
    return firstPage == endPage;
  }

  /**
   * Whether {@code page}, which they do not contain, lies before them on the circle: nearer to the
   * first page than to the end.
   */
  boolean follows(long page, long pages) {
    return Math.floorMod(firstPage - page, pages) < Math.floorMod(page - endPage, pages);
  }

  /**
   * What is left of them when ids before those of {@code page} are let go of: PostgreSQL removes
   * whole segments, members up to the page's own ({@code PerformMembersTruncation} in PostgreSQL 17
   * {@code src/backend/access/transam/multixact.c}), of the other SLRUs those that {@link
   * Slru#mayRemoveSegment} names.
   */
  SlruBounds truncated(int slru, long page) {
    if (slru == ClusterEffects.MULTIXACT_MEMBERS) {
      return contains(page) || page == endPage ? startingAt(startOfSegment(page)) : this;
    }
    long pages = Slru.pages(slru);
    SlruBounds left = this;
    while (!left.isEmpty() && Slru.mayRemoveSegment(slru, left.firstPage, page)) {
      long next = Math.min(left.firstPage + Slru.PAGES_PER_SEGMENT, pages);
      long end = endPage == 0 ? pages : endPage;
      boolean isLast = left.firstPage < end && end <= next;
      left = isLast ? NONE : startingAt(next % pages);
    }
    return left;
  }

  static long startOfSegment(long page) {
    return page - page % Slru.PAGES_PER_SEGMENT;
  }

  boolean contains(long page) {
    return firstPage <= endPage
        ? page >= firstPage && page < endPage
        : page >= firstPage || page < endPage;
  }

  SlruBounds startingAt(long page) {
    return new SlruBounds(page, endPage);
  }
}
