package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;

/**
 * Sequence records (resource manager 15): each holds the sequence's one tuple, and the page is
 * built anew. Follows PostgreSQL 17 {@code seq_redo} in {@code src/backend/commands/sequence.c}.
 */
public final class SequenceRedo implements ResourceManager {
  private static final int LOG = 0x00;
  private static final int LOCATOR_BYTES = 12;
  private static final int MAGIC = 0x1717;

  @Override
  public String name() {
    return "Sequence";
  }

  @Override
  public int opcodes() {
    return 0x0001; // 0x00
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (record.info != LOG || blockId != 0) {
      throw new RedoException("no sequence record has info 0x" + Integer.toHexString(record.info));
    }
    int main = HeapRedo.main(record, LOCATOR_BYTES);
    Page.init(page, 4);
    putI32(page, Page.special(page), MAGIC);
    PageItems.add(page, record.bytes, main + LOCATOR_BYTES, record.mainLength - LOCATOR_BYTES, 1);
    return true;
  }
}
