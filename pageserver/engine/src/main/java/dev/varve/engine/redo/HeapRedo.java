package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;

/**
 * Heap records (resource manager 10). Follows PostgreSQL 15 to 18 {@code heapam_xlog.h} and the
 * {@code heap_xlog_} functions ({@code src/backend/access/heap/heapam.c}, from 18 on {@code
 * heapam_xlog.c}).
 */
public final class HeapRedo implements ResourceManager {
  private static final int OPCODE = 0x70;
  private static final int INIT_PAGE = 0x80;
  private static final int INSERT = 0x00;
  private static final int DELETE = 0x10;
  private static final int UPDATE = 0x20;
  private static final int TRUNCATE = 0x30;
  private static final int HOT_UPDATE = 0x40;
  private static final int CONFIRM = 0x50;
  private static final int LOCK = 0x60;
  private static final int INPLACE = 0x70;

  static final int INSERT_ALL_VISIBLE_CLEARED = 0x01;
  static final int INSERT_ALL_FROZEN_SET = 0x20;
  private static final int DELETE_ALL_VISIBLE_CLEARED = 0x01;
  private static final int DELETE_IS_SUPER = 0x08;
  private static final int DELETE_IS_PARTITION_MOVE = 0x10;
  private static final int UPDATE_OLD_ALL_VISIBLE_CLEARED = 0x01;
  private static final int UPDATE_NEW_ALL_VISIBLE_CLEARED = 0x02;
  private static final int UPDATE_PREFIX_FROM_OLD = 0x20;
  private static final int UPDATE_SUFFIX_FROM_OLD = 0x40;
  private static final int LOCK_ALL_FROZEN_CLEARED = 0x01;

  /** {@code SizeOfHeapDelete}. */
  private static final int DELETE_BYTES = 8;

  /** {@code SizeOfHeapUpdate}. */
  private static final int UPDATE_BYTES = 14;

  /** {@code xl_heap_header}: infomask2, infomask, hoff. */
  private static final int HEADER_BYTES = 5;

  @Override
  public String name() {
    return "Heap";
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (record.blockFork[blockId] == ForkNumber.VISIBILITY_MAP) {
      return clearVisibility(record, blockId, page);
    }
    switch (record.info & OPCODE) {
      case INSERT -> insert(record, page);
      case DELETE -> delete(record, page);
      case UPDATE -> update(record, blockId, page, false);
      case HOT_UPDATE -> update(record, blockId, page, true);
      case CONFIRM -> {
        int number = u16(record.bytes, main(record, 2));
        HeapTuple.setCtid(page, HeapPage.tuple(page, number), record.blockNumber[0], number);
      }
      case LOCK -> lock(record, page);
      case INPLACE -> inplace(record, page);
      default ->
          throw new RedoException("no heap record has info 0x" + Integer.toHexString(record.info));
    }
    return true;
  }

  /** Behind what an update or a deletion did there may be the old row, for logical decoding. */
  @Override
  public int redoMainLength(WalRecord record) {
    return switch (record.info & OPCODE) {
      case DELETE -> Math.min(record.mainLength, DELETE_BYTES);
      case UPDATE, HOT_UPDATE -> Math.min(record.mainLength, UPDATE_BYTES);
      default -> record.mainLength;
    };
  }

  /** Where the main data starts, which must have at least {@code length} bytes. */
  static int main(WalRecord record, int length) {
    if (record.mainLength < length) {
      throw new RedoException(
          "main data of " + record.mainLength + " bytes instead of at least " + length);
    }
    return record.mainOffset;
  }

  private static void initIf(WalRecord record, byte[] page) {
    if ((record.info & INIT_PAGE) != 0) {
      Page.init(page, 0);
    }
  }

  private static void insert(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 3);
    int number = u16(bytes, main);
    int flags = u8(bytes, main + 2);
    initIf(record, page);
    int data = record.blockDataOffset[0];
    int length = record.blockDataLength[0] - HEADER_BYTES;
    byte[] tuple = tupleOf(record, length);
    System.arraycopy(bytes, data + HEADER_BYTES, tuple, HeapTuple.HEADER_BYTES, length);
    HeapTuple.build(tuple, bytes, data, record.xid, 0, record.blockNumber[0], number);
    PageItems.add(page, tuple, 0, HeapTuple.HEADER_BYTES + length, number, true);
    setVisibility(page, flags);
  }

  /** The record's scratch tuple, for {@code length} bytes behind the header. */
  static byte[] tupleOf(WalRecord record, int length) {
    if (length < 0 || length > Page.SIZE - HeapTuple.HEADER_BYTES) {
      throw new RedoException("a tuple of " + length + " bytes");
    }
    return record.tuple();
  }

  static void setVisibility(byte[] page, int flags) {
    if ((flags & INSERT_ALL_VISIBLE_CLEARED) != 0) {
      Page.clearFlag(page, Page.ALL_VISIBLE);
    }
    if ((flags & INSERT_ALL_FROZEN_SET) != 0) {
      Page.setFlag(page, Page.ALL_VISIBLE);
    }
  }

  private static void delete(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 8);
    int number = u16(bytes, main + 4);
    int flags = u8(bytes, main + 7);
    int tuple = HeapPage.tuple(page, number);
    HeapTuple.setInfobits(page, tuple, u8(bytes, main + 6));
    HeapTuple.setHotUpdated(page, tuple, false);
    if ((flags & DELETE_IS_SUPER) != 0) {
      HeapTuple.setXmin(page, tuple, 0);
    } else {
      HeapTuple.setXmax(page, tuple, i32(bytes, main));
    }
    HeapTuple.setFirstCmax(page, tuple);
    HeapPage.setPrunable(page, record.xid);
    if ((flags & DELETE_ALL_VISIBLE_CLEARED) != 0) {
      Page.clearFlag(page, Page.ALL_VISIBLE);
    }
    if ((flags & DELETE_IS_PARTITION_MOVE) != 0) {
      HeapTuple.setMovedPartitions(page, tuple);
    } else {
      HeapTuple.setCtid(page, tuple, record.blockNumber[0], number);
    }
  }

  /** Block 0 has the new tuple; block 1, when it is there, the old one, else block 0 has both. */
  private static void update(WalRecord record, int blockId, byte[] page, boolean hot) {
    byte[] bytes = record.bytes;
    int main = main(record, 14);
    int flags = u8(bytes, main + 7);
    int newNumber = u16(bytes, main + 12);
    boolean samePage = !record.hasBlock(1);
    int old = -1;
    int oldLength = 0;
    if (blockId == 1 || samePage) {
      int oldNumber = u16(bytes, main + 4);
      old = HeapPage.tuple(page, oldNumber);
      oldLength = PageItems.length(PageItems.itemId(page, oldNumber));
      HeapTuple.setInfobits(page, old, u8(bytes, main + 6));
      HeapTuple.setHotUpdated(page, old, hot);
      HeapTuple.setXmax(page, old, i32(bytes, main));
      HeapTuple.setFirstCmax(page, old);
      HeapTuple.setCtid(page, old, record.blockNumber[0], newNumber);
      HeapPage.setPrunable(page, record.xid);
      if ((flags & UPDATE_OLD_ALL_VISIBLE_CLEARED) != 0) {
        Page.clearFlag(page, Page.ALL_VISIBLE);
      }
    }
    if (blockId == 0) {
      initIf(record, page);
      addUpdated(record, page, flags, newNumber, old, oldLength);
      if ((flags & UPDATE_NEW_ALL_VISIBLE_CLEARED) != 0) {
        Page.clearFlag(page, Page.ALL_VISIBLE);
      }
    }
  }

  /**
   * Puts the new tuple together, from the record and the beginning and end of the old one, and adds
   * it.
   */
  private static void addUpdated(
      WalRecord record, byte[] page, int flags, int number, int old, int oldLength) {
    byte[] bytes = record.bytes;
    int at = record.blockDataOffset[0];
    int end = at + record.blockDataLength[0];
    int prefix = 0;
    int suffix = 0;
    if ((flags & UPDATE_PREFIX_FROM_OLD) != 0) {
      prefix = u16(bytes, at);
      at += 2;
    }
    if ((flags & UPDATE_SUFFIX_FROM_OLD) != 0) {
      suffix = u16(bytes, at);
      at += 2;
    }
    int header = at;
    at += HEADER_BYTES;
    int length = end - at;
    byte[] tuple = tupleOf(record, length + prefix + suffix);
    if (length < 0 || (prefix > 0 || suffix > 0) && old < 0) {
      throw new RedoException("an update takes parts of a tuple that is not on the page");
    }
    int to = HeapTuple.HEADER_BYTES;
    if (prefix > 0) {
      int bitmap = u8(bytes, header + 4) - HeapTuple.HEADER_BYTES;
      int oldData = HeapTuple.hoff(page, old);
      if (bitmap < 0 || bitmap > length || oldData + prefix > oldLength) {
        throw new RedoException("an update takes " + prefix + " bytes of a shorter tuple");
      }
      System.arraycopy(bytes, at, tuple, to, bitmap);
      System.arraycopy(page, old + oldData, tuple, to + bitmap, prefix);
      System.arraycopy(bytes, at + bitmap, tuple, to + bitmap + prefix, length - bitmap);
    } else {
      System.arraycopy(bytes, at, tuple, to, length);
    }
    if (suffix > oldLength) {
      throw new RedoException("an update takes " + suffix + " bytes of a shorter tuple");
    }
    System.arraycopy(
        page, Math.max(old, 0) + oldLength - suffix, tuple, to + length + prefix, suffix);
    HeapTuple.build(
        tuple,
        bytes,
        header,
        record.xid,
        i32(bytes, record.mainOffset + 8),
        record.blockNumber[0],
        number);
    PageItems.add(page, tuple, 0, to + length + prefix + suffix, number, true);
  }

  private static void lock(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int main = main(record, 8);
    int number = u16(bytes, main + 4);
    int tuple = HeapPage.tuple(page, number);
    HeapTuple.setInfobits(page, tuple, u8(bytes, main + 6));
    if (HeapTuple.isLockedOnly(page, tuple)) {
      HeapTuple.setHotUpdated(page, tuple, false);
      HeapTuple.setCtid(page, tuple, record.blockNumber[0], number);
    }
    HeapTuple.setXmax(page, tuple, i32(bytes, main));
    HeapTuple.setFirstCmax(page, tuple);
  }

  private static void inplace(WalRecord record, byte[] page) {
    int number = u16(record.bytes, main(record, 2));
    int tuple = HeapPage.tuple(page, number);
    int header = HeapTuple.hoff(page, tuple);
    int length = PageItems.length(PageItems.itemId(page, number)) - header;
    if (length != record.blockDataLength[0]) {
      throw new RedoException(
          "an in-place update of " + record.blockDataLength[0] + " bytes to a tuple of " + length);
    }
    System.arraycopy(record.bytes, record.blockDataOffset[0], page, tuple + header, length);
  }

  /** The page's LSN moves only when a bit was cleared. */
  private static boolean clearVisibility(WalRecord record, int blockId, byte[] page) {
    int flags = u8(record.bytes, main(record, flagsOffset(record) + 1) + flagsOffset(record));
    return switch (record.info & OPCODE) {
      case INSERT, DELETE ->
          (flags & 1) != 0
              && HeapVisibility.clear(
                  record, blockId, 0, VisibilityMap.ALL_VISIBLE | VisibilityMap.ALL_FROZEN, page);
      case LOCK ->
          (flags & LOCK_ALL_FROZEN_CLEARED) != 0
              && HeapVisibility.clear(record, blockId, 0, VisibilityMap.ALL_FROZEN, page);
      case UPDATE, HOT_UPDATE -> {
        int both = VisibilityMap.ALL_VISIBLE | VisibilityMap.ALL_FROZEN;
        boolean changed = false;
        if ((flags & UPDATE_NEW_ALL_VISIBLE_CLEARED) != 0) {
          changed = HeapVisibility.clear(record, blockId, 0, both, page);
        }
        if ((flags & UPDATE_OLD_ALL_VISIBLE_CLEARED) != 0) {
          changed |= HeapVisibility.clear(record, blockId, record.hasBlock(1) ? 1 : 0, both, page);
        }
        yield changed;
      }
      default ->
          throw new RedoException(
              "no heap record of info 0x"
                  + Integer.toHexString(record.info)
                  + " has a visibility map block");
    };
  }

  private static int flagsOffset(WalRecord record) {
    return (record.info & OPCODE) == INSERT ? 2 : 7;
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    int both = VisibilityMap.ALL_VISIBLE | VisibilityMap.ALL_FROZEN;
    switch (record.info & OPCODE) {
      case INSERT, DELETE -> {
        int flags = flagsOffset(record);
        if ((u8(record.bytes, main(record, flags + 1) + flags) & 1) != 0) {
          HeapVisibility.derive(record, 0, both, effects);
        }
      }
      case LOCK -> {
        if ((u8(record.bytes, main(record, 8) + 7) & LOCK_ALL_FROZEN_CLEARED) != 0) {
          HeapVisibility.derive(record, 0, VisibilityMap.ALL_FROZEN, effects);
        }
      }
      case UPDATE, HOT_UPDATE -> {
        int flags = u8(record.bytes, main(record, 14) + 7);
        if ((flags & UPDATE_OLD_ALL_VISIBLE_CLEARED) != 0) {
          HeapVisibility.derive(record, record.hasBlock(1) ? 1 : 0, both, effects);
        }
        if ((flags & UPDATE_NEW_ALL_VISIBLE_CLEARED) != 0) {
          HeapVisibility.derive(record, 0, both, effects);
        }
      }
      case TRUNCATE, CONFIRM, INPLACE -> {
        // Nothing beyond the page, but for logical decoding and caches.
      }
      default ->
          throw new RedoException("no heap record has info 0x" + Integer.toHexString(record.info));
    }
  }
}
