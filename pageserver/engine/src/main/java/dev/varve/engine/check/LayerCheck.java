package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.Layer;
import dev.varve.engine.layer.LayerCursor;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;

/**
 * Checks one layer's object against what the manifest says of it: header and index or, when it is
 * deep, every entry, and that the index leads to it. One thread.
 */
final class LayerCheck {
  private static final int WINDOW_BYTES = 4 << 20;
  private static final int CACHE_BYTES = 1 << 20;

  /** Of so many entries one is looked up; a prime, so that it is not always the same of a block. */
  private static final int LOOKED_UP_OF = 509;

  /** The checksum of a layer's header ends here. */
  private final LayerDescriptor descriptor;

  private final String object;
  private final Layer layer;

  LayerCheck(
      ObjectStore store,
      LayerDescriptor descriptor,
      String object,
      boolean deep,
      CheckProgress progress) {
    this.descriptor = descriptor;
    this.object = object;
    ObjectSource source =
        new ObjectSource(store, object, descriptor.fileBytes(), deep ? WINDOW_BYTES : 0, progress);
    layer = new Layer(descriptor, source, new BlockCache(CACHE_BYTES));
  }

  /** Takes what a deep check comes by. */
  interface Entries {
    void entry(long key, long lsn);
  }

  /**
   * Reads header and index.
   *
   * @throws PageserverException.Corrupt when they are damaged, or of another layer
   * @throws PageserverException.Unavailable when they cannot be read
   */
  void index() {
    layer.checkIndex();
  }

  /** Reads all there is; fails as {@link #index} does. */
  void everything(Entries entries) {
    layer.checkIndex();
    long count = 0;
    long key = 0;
    long lsn = 0;
    Chain chain = new Chain();
    LayerCursor cursor = layer.cursor(0);
    while (cursor.next()) {
      requireOrder(count == 0, key, lsn, cursor);
      key = cursor.key();
      lsn = cursor.lsn();
      if (count % LOOKED_UP_OF == 0) {
        requireFound(key, lsn, chain);
      }
      entries.entry(key, lsn);
      count++;
    }
    if (count != descriptor.entryCount()) {
      throw corrupt("it has " + count + " entries; the manifest says " + descriptor.entryCount());
    }
    requireBoundaries();
  }

  private void requireOrder(boolean first, long key, long lsn, LayerCursor cursor) {
    int byKey = first ? -1 : Long.compareUnsigned(key, cursor.key());
    if (byKey > 0 || byKey == 0 && Long.compareUnsigned(lsn, cursor.lsn()) > 0) {
      throw corrupt(
          "key %x of %s stands behind key %x of %s"
              .formatted(cursor.key(), Lsn.format(cursor.lsn()), key, Lsn.format(lsn)));
    }
    if (!descriptor.covers(cursor.key())
        || !descriptor.isImage()
            && (Long.compareUnsigned(cursor.lsn(), descriptor.startLsn()) <= 0
                || Long.compareUnsigned(cursor.lsn(), descriptor.endLsn()) > 0)) {
      throw corrupt(
          "key %x of %s does not belong into it".formatted(cursor.key(), Lsn.format(cursor.lsn())));
    }
  }

  private void requireFound(long key, long lsn, Chain chain) {
    chain.clear();
    layer.collect(key, lsn, chain);
    if (chain.size() == 0 || chain.lsn(0) != lsn) {
      throw corrupt("its index does not lead to key %x of %s".formatted(key, Lsn.format(lsn)));
    }
  }

  private void requireBoundaries() {
    long[] last = {0, descriptor.startLsn()};
    try {
      layer.forEachBoundary(boundary -> {
        if (Long.compareUnsigned(boundary.startLsn(), last[1]) < 0
            || Long.compareUnsigned(boundary.endLsn(), descriptor.endLsn()) > 0) {
          throw corrupt(
              "a record from "
                  + Lsn.format(boundary.startLsn())
                  + " to "
                  + Lsn.format(boundary.endLsn())
                  + " does not belong into it");
        }
        last[0] = boundary.startLsn();
        last[1] = boundary.endLsn();
      });
    } catch (IOException e) {
      throw new PageserverException.Unavailable(object + " cannot be read", e);
    }
    if (last[0] != descriptor.lastRecordLsn()) {
      throw corrupt(
          "its last record is that of %s; the manifest says %s"
              .formatted(Lsn.format(last[0]), Lsn.format(descriptor.lastRecordLsn())));
    }
  }

  private PageserverException.Corrupt corrupt(String what) {
    return new PageserverException.Corrupt("layer " + descriptor.name() + ": " + what);
  }
}
