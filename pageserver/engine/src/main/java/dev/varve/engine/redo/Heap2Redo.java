package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * The second set of heap records (resource manager 9): multi-insert, visibility, pruning and
 * freezing. Follows PostgreSQL 15 to 18 {@code heapam_xlog.h} and the {@code heap_xlog_} functions;
 * opcodes 0x10 to 0x30 changed their meaning in 17 ({@link HeapPrune}).
 */
public final class Heap2Redo implements ResourceManager {
  private static final int OPCODE = 0x70;
  private static final int INIT_PAGE = 0x80;
  private static final int REWRITE = 0x00;
  private static final int PRUNE = 0x10;
  private static final int VACUUM = 0x20;
  private static final int FREEZE = 0x30;
  private static final int VISIBLE = 0x40;
  private static final int MULTI_INSERT = 0x50;
  private static final int LOCK_UPDATED = 0x60;
  private static final int NEW_CID = 0x70;

  /** {@code xl_multi_insert_tuple}: data length, infomask2, infomask, hoff. */
  private static final int MULTI_TUPLE_BYTES = 7;

  private static final int LOCK_ALL_FROZEN_CLEARED = 0x01;
  private static final int BOTH = VisibilityMap.ALL_VISIBLE | VisibilityMap.ALL_FROZEN;

  @Override
  public String name() {
    return "Heap2";
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    int opcode = record.info & OPCODE;
    if (opcode == VISIBLE) {
      return blockId == 0 ? setVisibilityMap(record, page) : setAllVisible(record, page, context);
    }
    if (record.blockFork[blockId] == ForkNumber.VISIBILITY_MAP) {
      return clearVisibility(record, blockId, page);
    }
    boolean merged = context.major().atLeast(PostgresMajor.V17);
    switch (opcode) {
      case PRUNE, VACUUM, FREEZE -> {
        if (merged) {
          HeapPrune.pruneAndFreeze(record, page);
        } else if (opcode == PRUNE) {
          HeapPrune.prune(record, page);
        } else if (opcode == VACUUM) {
          HeapPrune.vacuum(record, page);
        } else if (context.major() == PostgresMajor.V15) {
          HeapPrune.freezeTuples(record, page);
        } else {
          HeapPrune.freezePlans(record, page);
        }
      }
      case MULTI_INSERT -> multiInsert(record, page);
      case LOCK_UPDATED -> {
        int main = HeapRedo.main(record, 8);
        int tuple = HeapPage.tuple(page, u16(record.bytes, main + 4));
        HeapTuple.setInfobits(page, tuple, u8(record.bytes, main + 6));
        HeapTuple.setXmax(page, tuple, i32(record.bytes, main));
      }
      default -> throw unknown(record);
    }
    return true;
  }

  private static RedoException unknown(WalRecord record) {
    return new RedoException(
        "no heap2 record with blocks has info 0x" + Integer.toHexString(record.info));
  }

  private static boolean setAllVisible(WalRecord record, byte[] page, RedoContext context) {
    Page.setFlag(page, Page.ALL_VISIBLE);
    return context.hints().at(record.endLsn);
  }

  private static boolean setVisibilityMap(WalRecord record, byte[] page) {
    int bits = u8(record.bytes, HeapRedo.main(record, 5) + 4) & BOTH;
    if (Page.isNew(page)) {
      Page.init(page, 0);
    }
    int entry = VisibilityMap.entry(record.blockNumber[1]);
    if (VisibilityMap.bits(page, entry) == bits) {
      return false;
    }
    VisibilityMap.set(page, entry, bits);
    return true;
  }

  private static void multiInsert(WalRecord record, byte[] page) {
    byte[] bytes = record.bytes;
    int main = HeapRedo.main(record, 4);
    int flags = u8(bytes, main);
    int count = u16(bytes, main + 2);
    boolean init = (record.info & INIT_PAGE) != 0;
    if (init) {
      Page.init(page, 0);
    } else {
      HeapRedo.main(record, 4 + 2 * count);
    }
    int start = record.blockDataOffset[0];
    int end = start + record.blockDataLength[0];
    int at = start;
    for (int i = 0; i < count; i++) {
      int number = init ? i + 1 : u16(bytes, main + 4 + 2 * i);
      at += at - start & 1;
      if (at + MULTI_TUPLE_BYTES > end) {
        throw new RedoException("tuple " + i + " of " + count + " is missing");
      }
      int length = u16(bytes, at);
      int header = at + 2;
      at += MULTI_TUPLE_BYTES;
      if (at + length > end) {
        throw new RedoException("tuple " + i + " of " + count + " is cut off");
      }
      byte[] tuple = HeapRedo.tupleOf(record, length);
      System.arraycopy(bytes, at, tuple, HeapTuple.HEADER_BYTES, length);
      HeapTuple.build(tuple, bytes, header, record.xid, 0, record.blockNumber[0], number);
      PageItems.add(page, tuple, 0, HeapTuple.HEADER_BYTES + length, number, true);
      at += length;
    }
    if (at != end) {
      throw new RedoException(end - at + " bytes are left behind the last tuple");
    }
    HeapRedo.setVisibility(page, flags);
  }

  /** The page's LSN moves only when a bit was cleared. */
  private static boolean clearVisibility(WalRecord record, int blockId, byte[] page) {
    return switch (record.info & OPCODE) {
      case MULTI_INSERT ->
          (u8(record.bytes, HeapRedo.main(record, 4)) & HeapRedo.INSERT_ALL_VISIBLE_CLEARED) != 0
              && HeapVisibility.clear(record, blockId, 0, BOTH, page);
      case LOCK_UPDATED ->
          (u8(record.bytes, HeapRedo.main(record, 8) + 7) & LOCK_ALL_FROZEN_CLEARED) != 0
              && HeapVisibility.clear(record, blockId, 0, VisibilityMap.ALL_FROZEN, page);
      default -> throw unknown(record);
    };
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    switch (record.info & OPCODE) {
      case MULTI_INSERT -> {
        if ((u8(record.bytes, HeapRedo.main(record, 4)) & HeapRedo.INSERT_ALL_VISIBLE_CLEARED)
            != 0) {
          HeapVisibility.derive(record, 0, BOTH, effects);
        }
      }
      case LOCK_UPDATED -> {
        if ((u8(record.bytes, HeapRedo.main(record, 8) + 7) & LOCK_ALL_FROZEN_CLEARED) != 0) {
          HeapVisibility.derive(record, 0, VisibilityMap.ALL_FROZEN, effects);
        }
      }
      case REWRITE, PRUNE, VACUUM, FREEZE, VISIBLE, NEW_CID -> {
        // Nothing beyond the pages, but for logical decoding.
      }
      default -> throw unknown(record);
    }
  }
}
