package dev.varve.engine.timeline;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.redo.Slru;
import java.util.Map;
import java.util.NavigableMap;

/**
 * Which pages of an SLRU exist: an arc of the circle of its page numbers, from {@code firstPage} to
 * before {@code endPage}, which is the smaller one when the numbers wrapped in between. Behind the
 * last number comes 0, as {@code endPage} too. Equal: none; an arc is never the whole circle, since
 * PostgreSQL stops handing out ids before.
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
   * The bounds that a base backup's files make: the segments without a gap that end at the newest
   * page, or, when the backup has not got that one, at the next older segment that it has. Files
   * that lie elsewhere were left behind (by {@code pg_upgrade}, for one) and nobody reads them.
   * Pages after the newest one are made again by WAL that follows the backup's start.
   *
   * @param pagesBySegment how many pages each segment's file has
   * @param newestPage by the counters of the backup's checkpoint
   * @param pages how many page numbers there are
   */
  static SlruBounds ofFiles(
      NavigableMap<Integer, Integer> pagesBySegment, long newestPage, long pages) {
    if (pagesBySegment.isEmpty()) {
      return NONE;
    }
    Map.Entry<Integer, Integer> newest =
        pagesBySegment.floorEntry((int) (newestPage / Slru.PAGES_PER_SEGMENT));
    if (newest == null) {
      newest = pagesBySegment.lastEntry();
    }
    int lastSegment = (int) ((pages - 1) / Slru.PAGES_PER_SEGMENT);
    int first = newest.getKey();
    for (int before = first == 0 ? lastSegment : first - 1;
        before != newest.getKey() && pagesBySegment.containsKey(before);
        before = before == 0 ? lastSegment : before - 1) {
      first = before;
    }
    long end = (long) newest.getKey() * Slru.PAGES_PER_SEGMENT + newest.getValue();
    return new SlruBounds((long) first * Slru.PAGES_PER_SEGMENT, end >= pages ? 0 : end);
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

  boolean contains(long page) {
    return firstPage <= endPage
        ? page >= firstPage && page < endPage
        : page >= firstPage || page < endPage;
  }

  /**
   * The same without the pages before {@code page}, which becomes the oldest. Nothing changes when
   * there is no such page: {@code SimpleLruTruncate} finds nothing to remove then, or takes it for
   * a wraparound.
   */
  SlruBounds startingAt(long page) {
    return contains(page) || page == endPage ? new SlruBounds(page, endPage) : this;
  }
}
