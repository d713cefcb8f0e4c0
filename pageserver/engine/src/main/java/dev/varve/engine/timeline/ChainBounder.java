package dev.varve.engine.timeline;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.Page;
import java.io.IOException;

/**
 * Keeps chains short although WAL carries no full-page images: while a layer is written, a page
 * that has collected so many records since its last whole image gets one, at the LSN of the record
 * that made it too many. One thread.
 *
 * <p>Images are only made of pages that can be read: not before the end of the base backup, and not
 * of what was dropped or cut off.
 */
final class ChainBounder {
  private final PageReader reader;
  private final RelationDictionary dictionary;
  private final int maxRecords;
  private final boolean countsBelow;
  private final Chain chain = new Chain();
  private final byte[] page = new byte[Page.SIZE];
  private final byte[] encoded = new byte[ImagePage.MAX_BYTES];
  private long key;
  private long consistentLsn;
  private int records;
  private long lastLsn;
  private boolean counts;

  /**
   * @param countsBelow whether what older layers hold of a key counts too: dear, for the background
   */
  ChainBounder(
      PageReader reader, RelationDictionary dictionary, int maxRecords, boolean countsBelow) {
    this.reader = reader;
    this.dictionary = dictionary;
    this.maxRecords = maxRecords;
    this.countsBelow = countsBelow;
  }

  /**
   * The entries of {@code key} follow, from the oldest.
   *
   * @param belowLsn what is at or below it is in older layers
   * @param consistentFromLsn the end of the base backup; 0 while it is not known
   */
  void begin(long key, long belowLsn, long consistentFromLsn) {
    this.key = key;
    this.consistentLsn = consistentFromLsn;
    records = 0;
    counts = consistentFromLsn != 0 && KeySpace.isPage(key);
    if (counts && countsBelow) {
      records = reader.chainLength(key, belowLsn, chain);
    }
  }

  /** An entry at {@code lsn} comes next: the page as of the entries before it is complete. */
  void beforeLsn(long lsn, DeltaRun out) throws IOException {
    if (counts && records >= maxRecords && lsn != lastLsn) {
      image(out);
    }
  }

  /** An entry was written. */
  void added(ValueKind kind, long lsn) {
    records = kind.endsChain() ? 0 : records + 1;
    lastLsn = lsn;
  }

  /** All entries of the key were written. */
  void end(DeltaRun out) throws IOException {
    if (counts && records >= maxRecords) {
      image(out);
    }
  }

  private void image(DeltaRun out) throws IOException {
    if (Long.compareUnsigned(lastLsn, consistentLsn) < 0 || !isLive()) {
      return;
    }
    if (reader.page(key, lastLsn, page, chain)) {
      int length = ImagePage.encode(page, encoded);
      out.add(
          key, lastLsn, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, encoded, 0, length);
      records = 0;
    }
  }

  private boolean isLive() {
    int relationId = KeySpace.relationId(key);
    if (relationId < KeySpace.FIRST_RELATION) {
      return true;
    }
    int blocks = new ClusterView(reader, dictionary, lastLsn).relationSize(relationId);
    return blocks != -1 && Integer.compareUnsigned(KeySpace.block(key), blocks) < 0;
  }
}
