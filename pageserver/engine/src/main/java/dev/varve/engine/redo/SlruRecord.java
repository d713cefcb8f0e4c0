package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.postgres.PostgresMajor;

/**
 * What records about segmented logs have in common: page numbers have 32 bits up to PostgreSQL 16,
 * 64 from 17 on.
 */
final class SlruRecord {
  private SlruRecord() {}

  /** A page number, 0 to 2^31 − 1: no log of 32-bit ids has more pages. */
  static int page(ByteReader in, RedoContext context) {
    long page = context.major().atLeast(PostgresMajor.V17) ? in.i64() : in.i32();
    if (page < 0 || page > Integer.MAX_VALUE) {
      throw new RedoException("page " + page + " of a segmented log");
    }
    return (int) page;
  }

  /** A record that has only a page number. */
  static void zeroPage(ByteReader in, int slru, RedoContext context, ClusterEffects effects) {
    int page = page(in, context);
    in.end();
    effects.zeroSlruPage(slru, page);
  }
}
