package dev.varve.engine.timeline;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.Page;
import java.io.IOException;

/**
 * Keeps chains short although WAL carries no full-page images: while a layer is written, a page that has collected so many records since its
 * last whole image gets one, at the LSN of the record that made it too many. Counts what older layers hold as well.
 *
 * <p>Images are only made of pages that can be read: not before the end of the base backup, and not of what was dropped or cut off.
 */
final class ChainBounder {
  private final PageReader reader;
  private final RelationDictionary dictionary;
  private final int maxRecords;
  private final Chain below = new Chain();
  private final byte[] page = new byte[Page.SIZE];
  private final byte[] encoded = new byte[ImagePage.MAX_BYTES];
  private long key;
  private long readableFromLsn;
  private int records;
  private boolean counts;

  ChainBounder(PageReader reader, RelationDictionary dictionary, int maxRecords) {
    this.reader = reader;
    this.dictionary = dictionary;
    this.maxRecords = maxRecords;
  }

  /** The entries of {@code key} follow, from the oldest; what is at or below {@code belowLsn} is in older layers. */
  void begin(long key, long belowLsn, long readableFromLsn) {
    this.key = key;
    this.readableFromLsn = readableFromLsn;
    records = 0;
    counts = readableFromLsn != 0 && KeySpace.isPage(key);
    if (counts) {
      below.clear();
      records = reader.chainLength(key, belowLsn, below);
    }
  }

  /**
   * An entry was written; writes an image behind it when it is time.
   *
   * @param sameLsnFollows whether the key's next entry has the same LSN: then the page is not complete yet
   */
  void added(ValueKind kind, long lsn, boolean sameLsnFollows, DeltaOutput out)
      throws IOException {
    if (!counts) {
      return;
    }
    if (kind.endsChain()) {
      records = 0;
      return;
    }
    records++;
    if (records < maxRecords
        || sameLsnFollows
        || Long.compareUnsigned(lsn, readableFromLsn) < 0
        || !isLive(lsn)) {
      return;
    }
    if (reader.page(key, lsn, page, below)) {
      int length = ImagePage.encode(page, encoded);
      out.add(
          key, lsn, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, encoded, 0, length);
      records = 0;
    }
  }

  private boolean isLive(long lsn) {
    int relationId = KeySpace.relationId(key);
    if (relationId < KeySpace.FIRST_RELATION) {
      return true;
    }
    int blocks = new ClusterView(reader, dictionary, lsn).relationSize(relationId);
    return blocks != -1 && Integer.compareUnsigned(KeySpace.block(key), blocks) < 0;
  }
}
