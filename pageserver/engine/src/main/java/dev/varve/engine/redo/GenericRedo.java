package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;
import java.util.Arrays;

/**
 * Generic records (resource manager 20), which extensions write: stretches of bytes to be put into
 * pages. Follows PostgreSQL 17 {@code src/backend/access/transam/generic_xlog.c}; the same in 15 to
 * 18.
 */
public final class GenericRedo implements ResourceManager {
  @Override
  public String name() {
    return "Generic";
  }

  @Override
  public int opcodes() {
    return 0x0001; // 0x00
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    byte[] bytes = record.bytes;
    int at = record.blockDataOffset[blockId];
    int end = at + record.blockDataLength[blockId];
    while (at < end) {
      if (end - at < 4) {
        throw new RedoException((end - at) + " bytes left behind the last stretch");
      }
      int offset = u16(bytes, at);
      int length = u16(bytes, at + 2);
      at += 4;
      if (length > end - at || offset + length > Page.SIZE) {
        throw new RedoException(
            "stretch of " + length + " bytes at " + offset + ", " + (end - at) + " are logged");
      }
      System.arraycopy(bytes, at, page, offset, length);
      at += length;
    }
    // The stretches leave out the free space, which is zero in every page that generic records
    // change.
    int lower = Page.lower(page);
    int upper = Page.upper(page);
    if (lower > upper || upper > Page.SIZE) {
      throw new RedoException("free space from " + lower + " to " + upper);
    }
    Arrays.fill(page, lower, upper, (byte) 0);
    return true;
  }
}
