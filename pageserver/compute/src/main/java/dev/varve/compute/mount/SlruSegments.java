package dev.varve.compute.mount;

import dev.varve.compute.page.RelationFork;
import java.util.HexFormat;
import java.util.List;

/**
 * The segments that the source has of an SLRU, in the directory of its files. A segment as one
 * {@code long}: its number and one more. Names are as PostgreSQL's {@code SlruFileName} writes them
 * with short segment names (PostgreSQL 17 src/backend/access/transam/slru.c).
 *
 * @param path of its directory, relative to the mount; empty: the mount itself
 * @param pages what its pages are read by
 * @param runs of its pages, whole segments, ascending
 */
public record SlruSegments(String path, RelationFork pages, List<Run> runs) {
  /** {@code SLRU_PAGES_PER_SEGMENT}. */
  private static final int SEGMENT_PAGES = 32;

  private static final int SHORTEST_NAME = 4;
  private static final int LONGEST_NAME = 6;

  /** Pages one behind the other. */
  public record Run(long firstPage, long count) {
    private long end() {
      return firstPage + count;
    }
  }

  static String name(long key) {
    return "%04X".formatted(key - 1);
  }

  /** The key of a name; 0 when it is none of a segment. */
  static long parse(String name) {
    int length = name.length();
    if (length < SHORTEST_NAME
        || length > LONGEST_NAME
        || length > SHORTEST_NAME && name.charAt(0) == '0') {
      return 0;
    }
    for (int i = 0; i < length; i++) {
      char digit = name.charAt(i);
      if (!HexFormat.isHexDigit(digit) || Character.isLowerCase(digit)) {
        return 0;
      }
    }
    return HexFormat.fromHexDigitsToLong(name) + 1;
  }

  private static long firstPage(long key) {
    return (key - 1) * SEGMENT_PAGES;
  }

  /** The pages of a segment's file; 0: the source has none. */
  int pages(long key) {
    long first = firstPage(key);
    for (Run run : runs) {
      if (first >= run.firstPage() && first < run.end()) {
        return (int) Math.min(SEGMENT_PAGES, run.end() - first);
      }
    }
    return 0;
  }

  LocalFile.Source source(long key) {
    return new LocalFile.Source(pages, firstPage(key));
  }

  /** The first segment behind one, 0 for the first of all; 0 when there is none. */
  long next(long key) {
    for (Run run : runs) {
      long candidate = Math.max(key, run.firstPage() / SEGMENT_PAGES) + 1;
      if (firstPage(candidate) < run.end()) {
        return candidate;
      }
    }
    return 0;
  }
}
