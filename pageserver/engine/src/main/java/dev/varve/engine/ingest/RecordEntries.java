package dev.varve.engine.ingest;

import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.tree.OpenLayer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Where the entries of the record that is being taken in go: to the open layer or, when one record
 * makes more of them than that is to hold, to image layers ({@link RecordImages}). Writer thread
 * only; nothing is allocated for an ordinary entry.
 */
final class RecordEntries implements ClusterState.Journal {
  private static final byte[] NOTHING = new byte[0];

  private final RecordImages images;
  private final byte[] imageBytes = new byte[ImagePage.MAX_BYTES];
  private OpenLayer layer;
  private @Nullable RecordHost host;
  private long lsn;
  private int entriesBefore;
  private boolean isWrittenOut;
  private boolean endsLayer;

  RecordEntries(RecordImages images, OpenLayer layer) {
    this.images = images;
    this.layer = layer;
  }

  /** A record that ends at {@code recordEndLsn} comes. */
  void begin(long recordEndLsn, RecordHost recordHost) {
    lsn = recordEndLsn;
    host = recordHost;
    entriesBefore = layer.entryCount();
    isWrittenOut = false;
    endsLayer = false;
  }

  /** From now on, entries go to this layer. */
  void continueIn(OpenLayer next) {
    layer = next;
  }

  /** The end of the record. */
  long lsn() {
    return lsn;
  }

  RecordHost host() {
    return Objects.requireNonNull(host);
  }

  void put(long key, ValueKind kind, byte[] bytes, int offset, int length) {
    layer.put(key, lsn, kind, bytes, offset, length);
  }

  void zeroPage(long key) {
    layer.put(key, lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
  }

  /** The whole page. */
  void page(long key, byte[] page) {
    int length = ImagePage.encode(page, imageBytes);
    layer.put(key, lsn, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, imageBytes, 0, length);
  }

  @Override
  public void value(long key, byte[] bytes, int length) {
    layer.put(key, lsn, ValueKind.VALUE, bytes, 0, length);
  }

  /** Between records: a value stamped with an LSN in the layer's range. */
  void valueAt(long key, long stamp, byte[] value) {
    layer.put(key, stamp, ValueKind.VALUE, value, 0, value.length);
  }

  /** Whether the record may still write images. */
  boolean canWriteOut() {
    return isWrittenOut || layer.entryCount() == entriesBefore;
  }

  /**
   * Brings everything before the record to files, so that it may write images; before its first
   * entry. May be repeated.
   */
  void writeOut() {
    if (!canWriteOut()) {
      throw new IllegalStateException("a part of the record is in the open layer");
    }
    if (!isWrittenOut) {
      host().writeOut();
      isWrittenOut = true;
    }
  }

  /**
   * Writes entries to image layers at the record's end, after {@link #writeOut}.
   *
   * @param work for messages about a failure of disk or store
   */
  void writeImages(String work, RecordImages.Content content) {
    if (!isWrittenOut) {
      throw new IllegalStateException(work + " was not expected");
    }
    images.write(work, lsn, host(), content);
    endsLayer = true;
  }

  /** Whether the open layer has to be frozen behind the record, which has images. */
  boolean endsLayer() {
    return endsLayer;
  }
}
