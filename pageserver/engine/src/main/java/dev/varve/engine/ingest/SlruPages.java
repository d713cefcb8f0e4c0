package dev.varve.engine.ingest;

import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.catalog.SlruBounds;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.tree.KeySpace;

/**
 * The pages of SLRUs as records change them, and which of them there are. Every shard has them all.
 * Writer thread only.
 */
final class SlruPages {
  private final ClusterState state;
  private final RecordEntries entries;

  SlruPages(ClusterState state, RecordEntries entries) {
    this.state = state;
    this.entries = entries;
  }

  /**
   * Zeroes a page, which is the newest one when it was not there. A file begins with its segment's
   * first page, whichever page of it is written first: what lies before that one is a hole, and
   * nothing that an earlier round left there.
   */
  void zero(int slru, int page) {
    SlruBounds before = state.slru(slru);
    long number = Integer.toUnsignedLong(page);
    entries.zeroPage(key(slru, page));
    if (before.contains(number)) {
      return;
    }
    for (long hole = SlruBounds.startOfSegment(number); hole < number; hole++) {
      if (!before.contains(hole)) {
        entries.zeroPage(key(slru, (int) hole));
      }
    }
    state.setSlru(slru, before.withPage(number, Slru.pages(slru)));
  }

  /** Zeroes a page unless it is there. */
  void ensure(int slru, int page) {
    if (!state.slru(slru).contains(Integer.toUnsignedLong(page))) {
      zero(slru, page);
    }
  }

  void derive(int slru, int page, byte[] op, int offset, int length) {
    ensure(slru, page);
    entries.put(key(slru, page), ValueKind.DERIVED, op, offset, length);
  }

  void truncate(int slru, int firstPage) {
    SlruBounds bounds = state.slru(slru);
    SlruBounds left = bounds.truncated(slru, Integer.toUnsignedLong(firstPage));
    if (!left.equals(bounds)) {
      state.setSlru(slru, left);
    }
  }

  private static long key(int slru, int page) {
    return KeySpace.key(KeySpace.FIRST_SLRU + slru, page);
  }
}
