package dev.varve.engine.redo;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.FullPageImage;
import dev.varve.engine.wal.WalRecord;
import java.util.Arrays;

/**
 * Drives redo: decides whether a page needs a record, hands it to the record's resource manager and
 * stamps the page. Stateless and thread-safe; the page is changed in place. Whatever goes wrong is
 * a {@link RedoException} naming LSN, resource manager, info and block; the page's contents are
 * undefined then.
 *
 * <p>Follows PostgreSQL 17 {@code XLogReadBufferForRedoExtended} in {@code
 * src/backend/access/transam/xlogutils.c}.
 */
public final class Redo {
  private Redo() {}

  /**
   * Applies the record to the page of its block {@code blockId}, without regard to an image. The
   * page is left alone when it already has the record's effect: its LSN is not below the record's
   * end. That test does not hold for a block that the record initialises, which is built from
   * zeros.
   *
   * @param forced apply whatever the page's LSN: after the image of the same record ({@link
   *     ResourceManager#redoAfterImage})
   * @return whether the page was given to the resource manager
   */
  public static boolean apply(
      WalRecord record, int blockId, boolean forced, byte[] page, RedoContext context) {
    boolean init = record.willInit(blockId);
    if (init) {
      Arrays.fill(page, 0, Page.SIZE, (byte) 0);
    } else if (!forced && Long.compareUnsigned(Page.lsn(page), record.endLsn) >= 0) {
      return false;
    }
    try {
      if (ResourceManagers.of(record.rmid).redo(record, blockId, page, context)) {
        Page.setLsn(page, record.endLsn);
      }
    } catch (RuntimeException e) {
      // Redo is pure computation on one page: whatever it throws, an index out of bounds for
      // example, says that record or page is bad.
      throw new RedoException(
          "redo of "
              + describe(record)
              + " to "
              + describeBlock(record, blockId)
              + ": "
              + e.getMessage(),
          e);
    }
    return true;
  }

  /**
   * Replaces the page by the block's image, which applies, and stamps it with the record's end
   * unless it is a page never initialised.
   */
  public static void restoreImage(WalRecord record, int blockId, byte[] page) {
    FullPageImage.restore(record, blockId, page);
    if (!Page.isNew(page)) {
      Page.setLsn(page, record.endLsn);
    }
  }

  /**
   * Everything that a whole record, not a slim one, does to one of its blocks: its image when it
   * applies, else redo.
   */
  public static void applyBlock(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (!record.blockImageApplies[blockId]) {
      apply(record, blockId, false, page, context);
      return;
    }
    restoreImage(record, blockId, page);
    if (ResourceManagers.of(record.rmid).redoAfterImage(record, blockId)) {
      apply(record, blockId, true, page, context);
    }
  }

  /** Tells {@code effects} what the record does beyond its blocks, its transaction id included. */
  public static void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    try {
      if (record.xid != 0) {
        effects.advanceNextXid(record.xid);
      }
      ResourceManagers.of(record.rmid).effects(record, context, effects);
    } catch (RedoException | IndexOutOfBoundsException | PageserverException.Corrupt e) {
      throw new RedoException("effects of " + describe(record) + ": " + e.getMessage(), e);
    }
  }

  /** For messages: resource manager, info and where the record ends. */
  public static String describe(WalRecord record) {
    return ResourceManagers.name(record.rmid)
        + "/0x"
        + Integer.toHexString(record.info)
        + " ending at "
        + Lsn.format(record.endLsn);
  }

  private static String describeBlock(WalRecord record, int blockId) {
    String suffix = ForkNumber.suffix(record.blockFork[blockId]);
    return "block "
        + Integer.toUnsignedString(record.blockNumber[blockId])
        + " (id "
        + blockId
        + ") of "
        // A slim record has no locator.
        + (record.blockRelation[blockId] == 0 ? "the relation" : record.locator(blockId).toString())
        + suffix;
  }
}
