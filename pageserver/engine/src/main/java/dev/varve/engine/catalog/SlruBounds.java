package dev.varve.engine.catalog;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Slru;
import java.util.Map;
import java.util.NavigableMap;

/**
 * Which pages of an SLRU exist: an arc of the circle of its page numbers, from {@code firstPage} to
 * before {@code endPage}, which is the smaller one when the numbers wrapped in between. Behind the
 * last number comes 0, as {@code endPage} too. Equal: none; an arc is never the whole circle, since
 * PostgreSQL stops handing out ids before.
 */
public record SlruBounds(long firstPage, long endPage) {
  static final int BYTES = 16;
  public static final SlruBounds NONE = new SlruBounds(0, 0);

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
   * The bounds that a base backup's files make: all of the circle but the longest run of segments
   * that have no file. Shorter ones may be in between: {@code pg_resetwal} leaves such, and files
   * that nobody reads any more are left by upgrades.
   *
   * @param pagesBySegment how many pages each segment's file has
   * @param pages how many page numbers there are
   */
  public static SlruBounds ofFiles(NavigableMap<Integer, Integer> pagesBySegment, long pages) {
    if (pagesBySegment.isEmpty()) {
      return NONE;
    }
    int segments = (int) Math.ceilDiv(pages, (long) Slru.PAGES_PER_SEGMENT);
    Map.Entry<Integer, Integer> newest = pagesBySegment.lastEntry();
    Map.Entry<Integer, Integer> before = newest;
    int first = pagesBySegment.firstKey();
    int longest = 0;
    for (Map.Entry<Integer, Integer> entry : pagesBySegment.entrySet()) {
      int gap = Math.floorMod(entry.getKey() - before.getKey() - 1, segments);
      if (gap > longest) {
        longest = gap;
        newest = before;
        first = entry.getKey();
      }
      before = entry;
    }
    long end = (long) newest.getKey() * Slru.PAGES_PER_SEGMENT + newest.getValue();
    return new SlruBounds((long) first * Slru.PAGES_PER_SEGMENT, end == pages ? 0 : end);
  }

  /**
   * The same with {@code page}, which they do not contain, as the newest or, when it {@linkplain
   * #follows lies before them}, the oldest: from its segment's first page on.
   *
   * @param pages how many page numbers there are
   */
  public SlruBounds withPage(long page, long pages) {
    long segment = startOfSegment(page);
    if (!isEmpty() && follows(page, pages)) {
      return startingAt(segment);
    }
    return new SlruBounds(isEmpty() ? segment : firstPage, page + 1 == pages ? 0 : page + 1);
  }

  boolean isEmpty() {
    return firstPage == endPage;
  }

  /**
   * Whether {@code page}, which they do not contain, lies before them on the circle: nearer to the
   * first page than to the end.
   */
  public boolean follows(long page, long pages) {
    return Math.floorMod(firstPage - page, pages) < Math.floorMod(page - endPage, pages);
  }

  /**
   * What is left of them when ids before those of {@code page} are let go of: PostgreSQL removes
   * whole segments, members up to the page's own ({@code PerformMembersTruncation} in PostgreSQL 17
   * {@code src/backend/access/transam/multixact.c}), of the other SLRUs those that {@link
   * Slru#mayRemoveSegment} names.
   */
  public SlruBounds truncated(int slru, long page) {
    if (slru == ClusterEffects.MULTIXACT_MEMBERS) {
      return contains(page) || page == endPage ? startingAt(startOfSegment(page)) : this;
    }
    long pages = Slru.pages(slru);
    SlruBounds left = this;
    while (!left.isEmpty() && Slru.mayRemoveSegment(slru, startOfSegment(left.firstPage), page)) {
      long next = Math.min(startOfSegment(left.firstPage) + Slru.PAGES_PER_SEGMENT, pages);
      long end = endPage == 0 ? pages : endPage;
      boolean isLast = left.firstPage < end && end <= next;
      left = isLast ? NONE : startingAt(next % pages);
    }
    return left;
  }

  public static long startOfSegment(long page) {
    return page - page % Slru.PAGES_PER_SEGMENT;
  }

  public boolean contains(long page) {
    return firstPage <= endPage
        ? page >= firstPage && page < endPage
        : page >= firstPage || page < endPage;
  }

  SlruBounds startingAt(long page) {
    return new SlruBounds(page, endPage);
  }
}
