package dev.varve.engine.read;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ScratchPool;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.redo.DerivedOp;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.WalRecord;
import java.util.Arrays;

/** Makes a page of its chain: the base, then every change to it. Stateless; any thread. */
public final class ChainReplay {
  private static final ScratchPool<WalRecord> RECORDS = new ScratchPool<>(WalRecord::new);

  private ChainReplay() {}

  /**
   * Fills {@code target} with the page that the chain makes.
   *
   * @param key of the page and
   * @param lsn it is wanted at: both for messages
   * @throws PageserverException.Corrupt when the chain has no beginning, or does not replay
   */
  public static void replay(long key, long lsn, Chain chain, byte[] target, RedoContext context) {
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
    WalRecord record = RECORDS.take();
    for (; next >= 0; next--) {
      apply(key, chain, next, target, context, record);
    }
    record.release(); // one that failed is not used again
    RECORDS.give(record);
  }

  private static void apply(
      long key, Chain chain, int index, byte[] target, RedoContext context, WalRecord record) {
    byte[] bytes = chain.bytes(index);
    int offset = chain.offset(index);
    int length = chain.length(index);
    switch (chain.kind(index)) {
      case ZERO_PAGE -> Arrays.fill(target, 0, Page.SIZE, (byte) 0);
      case IMAGE -> ImagePage.decode(bytes, offset, length, target);
      case RECORD -> {
        int blockId = BlockRecord.decode(bytes, offset, length, chain.lsn(index), record);
        Redo.apply(record, blockId, BlockRecord.isForced(bytes, offset), target, context);
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
