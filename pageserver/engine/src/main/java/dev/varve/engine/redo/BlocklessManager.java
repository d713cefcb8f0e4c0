package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/** A resource manager whose records name no blocks: all they do is told by {@link #effects}. */
abstract class BlocklessManager implements ResourceManager {
  @Override
  public final boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    throw new RedoException("a record of this kind names no block");
  }

  /** Reads the record's main data. */
  final ByteReader main(WalRecord record) {
    return ByteReader.ofBeginning("main data", record.bytes, record.mainOffset, record.mainLength);
  }

  /** For an info that is none of the manager's. */
  static RedoException unknown(WalRecord record) {
    return new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
  }
}
