package dev.varve.engine.timeline;

import dev.varve.engine.bytes.LittleEndian;

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

  /** The same with {@code page} as the newest. */
  SlruBounds withPage(long page) {
    return firstPage == endPage
        ? new SlruBounds(page, page + 1)
        : new SlruBounds(firstPage, page + 1);
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
