package dev.varve.engine.work;

import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.KeySpace;
import java.io.IOException;

/**
 * Keeps chains short although WAL carries no full-page images: while a layer is written, a page
 * that has collected so many records since its last whole image gets one, at the LSN of the record
 * that made it too many. One thread.
 *
 * <p>Images are only made of pages that can be read: not before the end of the base backup, and not
 * of what was dropped or cut off. Each is made of the one before it and the entries since, so that
 * the work is in proportion to the entries, however many of them a page has.
 */
final class ChainBounder {
  private final PageReader reader;
  private final RelationDictionary dictionary;
  private final int maxRecords;
  private final boolean countsBelow;
  private final Chain chain = new Chain();

  /** The key's entries since its last whole page, from the oldest. */
  private final Chain pending = new Chain();

  private final byte[] page = new byte[Page.SIZE];
  private final byte[] encoded = new byte[ImagePage.MAX_BYTES];
  private long key;
  private long belowLsn;
  private long consistentLsn;

  /** Length of the image in {@code encoded} that precedes the pending entries; -1 for none. */
  private int baseLength;

  private long baseLsn;
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
    this.belowLsn = belowLsn;
    this.consistentLsn = consistentFromLsn;
    pending.clear();
    baseLength = -1;
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

  /** An entry was written; its bytes stay as they are until {@link #end}. */
  void added(ValueKind kind, long lsn, byte[] bytes, int offset, int length) {
    lastLsn = lsn;
    if (kind.endsChain()) {
      records = 0;
      pending.clear();
      baseLength = -1;
    } else {
      records++;
    }
    if (counts) {
      pending.add(kind, lsn, bytes, offset, length);
    }
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
    chain.clear();
    for (int i = pending.size() - 1; i >= 0; i--) {
      chain.add(
          pending.kind(i), pending.lsn(i), pending.bytes(i), pending.offset(i), pending.length(i));
    }
    if (baseLength >= 0) {
      chain.add(imageKind(baseLength), baseLsn, encoded, 0, baseLength);
    }
    reader.pageOf(key, lastLsn, chain, belowLsn, page);
    baseLength = ImagePage.encode(page, encoded);
    baseLsn = lastLsn;
    out.add(key, lastLsn, imageKind(baseLength), encoded, 0, baseLength);
    pending.clear();
    records = 0;
  }

  private static ValueKind imageKind(int length) {
    return length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE;
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
