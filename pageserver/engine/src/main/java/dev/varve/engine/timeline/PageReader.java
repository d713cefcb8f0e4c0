package dev.varve.engine.timeline;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.redo.DerivedOp;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.WalRecord;
import java.util.Arrays;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Values and pages as of an LSN: collects a key's chain through the layers and replays it. Any
 * thread; holds no state but where the layer map is to be found.
 */
final class PageReader {
  private static final ThreadLocal<WalRecord> RECORD = ThreadLocal.withInitial(WalRecord::new);

  private final Supplier<LayerMap> layers;
  private final Supplier<RedoContext> context;

  PageReader(Supplier<LayerMap> layers, Supplier<RedoContext> context) {
    this.layers = layers;
    this.context = context;
  }

  /**
   * The newest value of a key at or below {@code lsn}; null when it has none, empty when it was
   * removed.
   */
  byte @Nullable [] value(long key, long lsn) {
    Chain chain = new Chain();
    layers.get().collect(key, lsn, chain);
    return chain.size() == 0
        ? null
        : Arrays.copyOfRange(chain.bytes(0), chain.offset(0), chain.offset(0) + chain.length(0));
  }

  /**
   * Fills {@code target} with the page as of {@code lsn}.
   *
   * @param chain scratch, cleared first
   * @return false when nothing is known of the page
   * @throws PageserverException.Corrupt when its chain has no beginning, or does not replay
   */
  boolean page(long key, long lsn, byte[] target, Chain chain) {
    chain.clear();
    layers.get().collect(key, lsn, chain);
    if (chain.size() == 0) {
      return false;
    }
    replay(key, lsn, chain, target);
    return true;
  }

  /** How many entries a page's chain at {@code lsn} has before a whole page begins it. */
  int chainLength(long key, long lsn, Chain chain) {
    chain.clear();
    layers.get().collectFromFiles(key, lsn, chain);
    int length = 0;
    while (length < chain.size() && !chain.kind(length).endsChain()) {
      length++;
    }
    return length;
  }

  private void replay(long key, long lsn, Chain chain, byte[] target) {
    int next = chain.size() - 1;
    if (!chain.isComplete()) {
      throw new PageserverException.Corrupt(
          "page "
              + describe(key)
              + " at "
              + Lsn.format(lsn)
              + ": nothing to apply "
              + chain.size()
              + " changes to; the oldest is of "
              + Lsn.format(chain.lsn(next)));
    }
    for (; next >= 0; next--) {
      apply(key, chain, next, target);
    }
  }

  private void apply(long key, Chain chain, int index, byte[] target) {
    byte[] bytes = chain.bytes(index);
    int offset = chain.offset(index);
    int length = chain.length(index);
    switch (chain.kind(index)) {
      case ZERO_PAGE -> Arrays.fill(target, 0, Page.SIZE, (byte) 0);
      case IMAGE -> ImagePage.decode(bytes, offset, length, target);
      case RECORD -> {
        WalRecord record = RECORD.get();
        int blockId = BlockRecord.decode(bytes, offset, length, chain.lsn(index), record);
        Redo.apply(record, blockId, BlockRecord.isForced(bytes, offset), target, context.get());
      }
      case DERIVED -> {
        try {
          DerivedOp.apply(bytes, offset, length, target);
        } catch (RedoException e) {
          throw new PageserverException.Corrupt(
              "page "
                  + describe(key)
                  + " at "
                  + Lsn.format(chain.lsn(index))
                  + ": "
                  + e.getMessage(),
              e);
        }
      }
      case VALUE ->
          throw new PageserverException.Corrupt(
              "page " + describe(key) + " at " + Lsn.format(chain.lsn(index)) + " is no page");
    }
  }

  private static String describe(long key) {
    return KeySpace.relationId(key) + "." + Integer.toUnsignedString(KeySpace.block(key));
  }
}
