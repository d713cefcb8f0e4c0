package dev.varve.engine.redo;

import dev.varve.engine.wal.WalRecord;

/**
 * What one resource manager's records do, to pages and beyond. Stateless and thread-safe: one
 * instance serves every timeline.
 *
 * <p>Page redo is local: it sees one block of the record, the page as it was, and of the record's
 * other blocks only what the slim form keeps (presence, flags, fork, block number).
 */
public interface ResourceManager {
  /** PostgreSQL's name for it, as {@code pg_waldump} prints. */
  String name();

  /**
   * Applies the record to the page of its block {@code blockId}, in place. Called only when the
   * page needs it: for a page that the record initialises ({@link WalRecord#willInit}; the page
   * comes zeroed), or whose LSN is below {@link WalRecord#endLsn}, or was just restored from an
   * image and {@link #redoAfterImage} says so. A block that the record names but does not change is
   * left alone.
   *
   * @return whether {@code pd_lsn} moves to {@link WalRecord#endLsn} (the caller sets it)
   * @throws RedoException when the record or the page is not what the record type demands
   */
  boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context);

  /**
   * Whether the block is changed by {@link #redo} even after its page image was restored from the
   * same record.
   */
  default boolean redoAfterImage(WalRecord record, int blockId) {
    return false;
  }

  /**
   * How much of the record's main data, from its start on, {@link #redo} looks at. The rest is not
   * kept.
   */
  default int redoMainLength(WalRecord record) {
    return record.mainLength;
  }

  /**
   * The record types of a manager whose records do nothing beyond their blocks: bit N stands for
   * the info bits {@code N << 4}.
   */
  default int opcodes() {
    return 0;
  }

  /**
   * Tells {@code effects} everything that the record does beyond the blocks it names.
   *
   * @throws RedoException when the record is of a type that the manager does not know
   */
  default void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    if ((opcodes() >>> (record.info >>> 4) & 1) == 0) {
      throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    }
  }
}
