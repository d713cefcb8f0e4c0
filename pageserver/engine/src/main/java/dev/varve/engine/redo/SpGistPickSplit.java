package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.wal.WalRecord;

/**
 * SP-GiST's record of the leaf tuples of one node being spread over the nodes of a new inner tuple.
 * Block 0: the leaf page that was full, unless it was the root; 1: another leaf page, if used; 2:
 * the page of the inner tuple; 3: the parent, if on another page. Follows PostgreSQL 17 {@code
 * spgRedoPickSplit} in {@code src/backend/access/spgist/spgxlog.c}; the same in 15 to 18.
 *
 * <p>Main data: a header of 28 bytes, the items deleted, the numbers of the leaf tuples inserted,
 * for each a byte (not zero: on block 1), the inner tuple, the leaf tuples.
 */
final class SpGistPickSplit {
  private static final int HEADER = 28;
  private static final int ROOT_SPLIT = 0;
  private static final int DELETES = 2;
  private static final int INSERTS = 4;
  private static final int INIT_SOURCE = 6;
  private static final int INIT_TARGET = 7;
  private static final int INNER_NUMBER = 8;
  private static final int INIT_INNER = 10;
  private static final int NULLS = 11;
  private static final int INNER_IS_PARENT = 12;
  private static final int PARENT_NUMBER = 14;
  private static final int PARENT_NODE = 16;
  private static final int XID = 20;
  private static final int BUILD = 24;

  private SpGistPickSplit() {}

  static void redo(WalRecord record, int blockId, byte[] page) {
    byte[] bytes = record.bytes;
    int main = SpGistRedo.main(record, HEADER);
    boolean nulls = flag(bytes, main + NULLS);
    int innerNumber = u16(bytes, main + INNER_NUMBER);
    switch (blockId) {
      case 0 -> {
        if (flag(bytes, main + ROOT_SPLIT)) {
          throw SpGistRedo.unexpectedBlock(0);
        }
        boolean fresh = flag(bytes, main + INIT_SOURCE);
        SpGistRedo.init(record, 0, page, fresh, SpGistRedo.leafFlags(nulls));
        if (!fresh) {
          deleteLeafs(record, page, innerNumber);
        }
        insertLeafs(record, page, false);
      }
      case 1 -> {
        boolean fresh = flag(bytes, main + INIT_TARGET);
        SpGistRedo.init(record, 1, page, fresh, SpGistRedo.leafFlags(nulls));
        insertLeafs(record, page, true);
      }
      case 2 -> {
        boolean fresh = flag(bytes, main + INIT_INNER);
        SpGistRedo.init(record, 2, page, fresh, nulls ? SpGistPage.NULLS : 0);
        int tuple = innerTuple(record);
        int size = SpGistPage.innerSize(bytes, tuple, SpGistRedo.mainEnd(record));
        SpGistPage.addOrReplace(page, bytes, tuple, size, innerNumber);
        if (flag(bytes, main + INNER_IS_PARENT)) {
          setDownlink(record, page, innerNumber);
        }
      }
      case 3 -> setDownlink(record, page, innerNumber);
      default -> throw SpGistRedo.unexpectedBlock(blockId);
    }
  }

  /** The first of the deleted tuples leads to the inner tuple for scans that are on their way. */
  private static void deleteLeafs(WalRecord record, byte[] page, int innerNumber) {
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int count = u16(bytes, main + DELETES);
    SpGistRedo.main(record, HEADER + count * 2);
    SpGistPage.makeDead(
        page,
        SpGistRedo.numbers(bytes, main + HEADER, count),
        flag(bytes, main + BUILD) ? SpGistPage.PLACEHOLDER : SpGistPage.REDIRECT,
        SpGistPage.PLACEHOLDER,
        SpGistRedo.blockNumber(record, 2),
        innerNumber,
        i32(bytes, main + XID));
  }

  /** Inserts those leaf tuples that belong to this page. */
  private static void insertLeafs(WalRecord record, byte[] page, boolean target) {
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int end = SpGistRedo.mainEnd(record);
    int inner = innerTuple(record);
    int tuple = inner + SpGistPage.innerSize(bytes, inner, end);
    int count = u16(bytes, main + INSERTS);
    int numbers = main + HEADER + u16(bytes, main + DELETES) * 2;
    int selectors = numbers + count * 2;
    for (int i = 0; i < count; i++) {
      int size = SpGistPage.leafSize(bytes, tuple, end);
      if (flag(bytes, selectors + i) == target) {
        SpGistPage.addOrReplace(page, bytes, tuple, size, u16(bytes, numbers + i * 2));
      }
      tuple += size;
    }
  }

  /** Where the inner tuple stands: behind the arrays. */
  private static int innerTuple(WalRecord record) {
    int main = record.mainOffset;
    int length =
        HEADER + u16(record.bytes, main + DELETES) * 2 + u16(record.bytes, main + INSERTS) * 3;
    return SpGistRedo.main(record, length) + length;
  }

  private static void setDownlink(WalRecord record, byte[] page, int innerNumber) {
    int main = record.mainOffset;
    SpGistPage.setDownlink(
        page,
        u16(record.bytes, main + PARENT_NUMBER),
        u16(record.bytes, main + PARENT_NODE),
        SpGistRedo.blockNumber(record, 2),
        innerNumber);
  }

  private static boolean flag(byte[] bytes, int offset) {
    return u8(bytes, offset) != 0;
  }
}
