package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * Hash index records (resource manager 12). Follows PostgreSQL 15 to 18 {@code
 * src/backend/access/hash/hash_xlog.c} and {@code src/include/access/hash_xlog.h}.
 *
 * <p>Records that PostgreSQL replays under a lock on the bucket's primary page name it as block 0
 * for that alone. Where PostgreSQL sets the special space anew after an image of the same record,
 * the image already has it.
 */
public final class HashRedo implements ResourceManager {
  private static final int INIT_META_PAGE = 0x00;
  private static final int INIT_BITMAP_PAGE = 0x10;
  private static final int INSERT = 0x20;
  private static final int ADD_OVFL_PAGE = 0x30;
  private static final int SPLIT_ALLOCATE_PAGE = 0x40;
  private static final int SPLIT_PAGE = 0x50;
  private static final int SPLIT_COMPLETE = 0x60;
  private static final int MOVE_PAGE_CONTENTS = 0x70;
  private static final int SQUEEZE_PAGE = 0x80;
  private static final int DELETE = 0x90;
  private static final int SPLIT_CLEANUP = 0xA0;
  private static final int UPDATE_META_PAGE = 0xB0;
  private static final int VACUUM_ONE_PAGE = 0xC0;

  private static final int UPDATE_MASKS = 0x01;
  private static final int UPDATE_SPLIT_POINT = 0x02;

  private static final int CHAIN = HashPage.BUCKET | HashPage.OVERFLOW;

  private static final int TUPLE_HEADER = 8;
  private static final int TUPLE_SIZE_MASK = 0x1FFF;

  @Override
  public String name() {
    return "Hash";
  }

  @Override
  public int opcodes() {
    return 0x1FFF; // 0x00 to 0xC0
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    return switch (record.info) {
      case INIT_META_PAGE -> {
        demandBlock(blockId, 0);
        demandMain(record, 14);
        int main = record.mainOffset;
        HashPage.initMeta(
            page,
            Double.longBitsToDouble(i64(record.bytes, main)),
            i32(record.bytes, main + 8),
            u16(record.bytes, main + 12));
        yield true;
      }
      case INIT_BITMAP_PAGE -> initBitmap(record, blockId, page);
      case INSERT -> insert(record, blockId, page);
      case ADD_OVFL_PAGE -> addOverflowPage(record, blockId, page);
      case SPLIT_ALLOCATE_PAGE -> allocateForSplit(record, blockId, page);
      case SPLIT_PAGE -> throw new RedoException("a split page comes without an image");
      case SPLIT_COMPLETE -> {
        demandMain(record, 4);
        if (blockId > 1) {
          throw unexpectedBlock(blockId);
        }
        HashPage.checkType(page, HashPage.BUCKET);
        putU16(page, HashPage.FLAGS, u16(record.bytes, record.mainOffset + 2 * blockId));
        yield true;
      }
      case MOVE_PAGE_CONTENTS -> movePageContents(record, blockId, page);
      case SQUEEZE_PAGE -> squeeze(record, blockId, page, context);
      case DELETE -> delete(record, blockId, page);
      case SPLIT_CLEANUP -> {
        demandBlock(blockId, 0);
        HashPage.checkType(page, HashPage.BUCKET);
        HashPage.clearFlag(page, HashPage.NEEDS_SPLIT_CLEANUP);
        yield true;
      }
      case UPDATE_META_PAGE -> {
        demandBlock(blockId, 0);
        demandMain(record, 8);
        HashPage.checkType(page, HashPage.META);
        putI64(page, HashPage.TUPLE_COUNT, i64(record.bytes, record.mainOffset));
        yield true;
      }
      case VACUUM_ONE_PAGE -> vacuumOnePage(record, blockId, page, context);
      default ->
          throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    };
  }

  private static boolean initBitmap(WalRecord record, int blockId, byte[] page) {
    if (blockId == 0) {
      demandMain(record, 2);
      HashPage.initBitmap(page, u16(record.bytes, record.mainOffset));
    } else {
      demandBlock(blockId, 1);
      HashPage.checkType(page, HashPage.META);
      // The page behind those of the first buckets.
      HashPage.addMap(page, i32(page, HashPage.MAX_BUCKET) + 2);
    }
    return true;
  }

  private static boolean insert(WalRecord record, int blockId, byte[] page) {
    if (blockId == 1) {
      addToTupleCount(page, 1);
      return true;
    }
    demandBlock(blockId, 0);
    demandMain(record, 2);
    HashPage.checkType(page, CHAIN);
    int length = record.blockDataLength[0];
    if (length < TUPLE_HEADER) {
      throw new RedoException("tuple of " + length + " bytes");
    }
    int number = u16(record.bytes, record.mainOffset);
    PageItems.add(page, record.bytes, record.blockDataOffset[0], length, demandNumber(number));
    return true;
  }

  private static boolean addOverflowPage(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 3);
    int main = record.mainOffset;
    switch (blockId) {
      case 0 -> {
        demandBlockPresent(record, 1);
        HashPage.init(page, record.blockNumber[1], word(record, 0), HashPage.OVERFLOW);
      }
      case 1 -> {
        demandBlockPresent(record, 0);
        HashPage.checkType(page, CHAIN);
        putI32(page, HashPage.NEXT, record.blockNumber[0]);
      }
      case 2 -> HashPage.setBit(page, word(record, 2), true);
      case 3 -> HashPage.initBitmap(page, u16(record.bytes, main));
      case 4 -> {
        HashPage.checkType(page, HashPage.META);
        putI32(page, HashPage.FIRST_FREE, word(record, 4));
        boolean reused = u8(record.bytes, main + 2) != 0;
        if (!reused) {
          int spare = HashPage.spare(i32(page, HashPage.OVERFLOW_POINT));
          int added = 1;
          if (record.hasBlock(3)) {
            HashPage.addMap(page, record.blockNumber[3]);
            added = 2;
          }
          putI32(page, spare, i32(page, spare) + added);
        }
      }
      default -> throw unexpectedBlock(blockId);
    }
    return true;
  }

  private static boolean allocateForSplit(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 9);
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int newBucket = i32(bytes, main);
    switch (blockId) {
      case 0 -> {
        HashPage.checkType(page, HashPage.BUCKET);
        putU16(page, HashPage.FLAGS, u16(bytes, main + 4));
        putI32(page, HashPage.PREVIOUS, newBucket);
      }
      case 1 -> HashPage.init(page, newBucket, newBucket, u16(bytes, main + 6));
      case 2 -> {
        HashPage.checkType(page, HashPage.META);
        putI32(page, HashPage.MAX_BUCKET, newBucket);
        int flags = u8(bytes, main + 8);
        int data = record.blockDataOffset[2];
        boolean masks = (flags & UPDATE_MASKS) != 0;
        boolean splitPoint = (flags & UPDATE_SPLIT_POINT) != 0;
        demandData(record, 2, (masks ? 8 : 0) + (splitPoint ? 8 : 0));
        if (masks) {
          putI32(page, HashPage.LOW_MASK, i32(bytes, data));
          putI32(page, HashPage.HIGH_MASK, i32(bytes, data + 4));
          data += 8;
        }
        if (splitPoint) {
          int point = i32(bytes, data);
          putI32(page, HashPage.spare(point), i32(bytes, data + 4));
          putI32(page, HashPage.OVERFLOW_POINT, point);
        }
      }
      default -> throw unexpectedBlock(blockId);
    }
    return true;
  }

  private static boolean movePageContents(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 3);
    switch (blockId) {
      case 0 -> {
        return false;
      }
      case 1 -> addTuples(record, page, u16(record.bytes, record.mainOffset));
      case 2 -> deleteTuples(record, 2, page);
      default -> throw unexpectedBlock(blockId);
    }
    return true;
  }

  /** An overflow page is emptied into an earlier page of its bucket and becomes free. */
  private static boolean squeeze(WalRecord record, int blockId, byte[] page, RedoContext context) {
    demandMain(record, 12);
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int next = i32(bytes, main + 4);
    switch (blockId) {
      case 0 -> {
        return false;
      }
      case 1 -> {
        int tuples = u16(bytes, main + 8);
        boolean isPrevious = u8(bytes, main + 11) != 0;
        addTuples(record, page, tuples);
        if (isPrevious) {
          putI32(page, HashPage.NEXT, next);
        }
        return tuples > 0 || isPrevious || !context.major().atLeast(PostgresMajor.V17);
      }
      case 2 -> HashPage.init(page, HashPage.NO_BLOCK, HashPage.NO_BLOCK, HashPage.UNUSED);
      case 3 -> {
        HashPage.checkType(page, CHAIN);
        putI32(page, HashPage.NEXT, next);
      }
      case 4 -> {
        HashPage.checkType(page, CHAIN);
        putI32(page, HashPage.PREVIOUS, i32(bytes, main));
      }
      case 5 -> HashPage.setBit(page, word(record, 5), false);
      case 6 -> {
        HashPage.checkType(page, HashPage.META);
        putI32(page, HashPage.FIRST_FREE, word(record, 6));
      }
      default -> throw unexpectedBlock(blockId);
    }
    return true;
  }

  private static boolean delete(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 2);
    if (blockId == 0) {
      return false;
    }
    demandBlock(blockId, 1);
    deleteTuples(record, 1, page);
    if (u8(record.bytes, record.mainOffset) != 0) {
      HashPage.clearFlag(page, HashPage.HAS_DEAD_TUPLES);
    }
    return true;
  }

  private static boolean vacuumOnePage(
      WalRecord record, int blockId, byte[] page, RedoContext context) {
    demandMain(record, 8);
    int main = record.mainOffset;
    // Since 16 a flag stands in what was the count's upper half.
    int count =
        PageItems.checkCount(
            context.major().atLeast(PostgresMajor.V16)
                ? u16(record.bytes, main + 4)
                : i32(record.bytes, main + 4));
    if (blockId == 1) {
      addToTupleCount(page, -count);
      return true;
    }
    demandBlock(blockId, 0);
    demandMain(record, 8 + count * 2);
    HashPage.checkType(page, CHAIN);
    PageItems.deleteAll(page, record.bytes, main + 8, count);
    HashPage.clearFlag(page, HashPage.HAS_DEAD_TUPLES);
    return true;
  }

  private static void addToTupleCount(byte[] page, int count) {
    HashPage.checkType(page, HashPage.META);
    double tuples = Double.longBitsToDouble(i64(page, HashPage.TUPLE_COUNT));
    putI64(page, HashPage.TUPLE_COUNT, Double.doubleToRawLongBits(tuples + count));
  }

  /**
   * Adds tuples from the data of block 1: {@code u16[count]}, the item number that each gets as it
   * is added, then the tuples.
   */
  private static void addTuples(WalRecord record, byte[] page, int count) {
    HashPage.checkType(page, CHAIN);
    demandData(record, 1, PageItems.checkCount(count) * 2);
    int numbers = record.blockDataOffset[1];
    int at = numbers + count * 2;
    int end = numbers + record.blockDataLength[1];
    for (int i = 0; i < count; i++) {
      int size = tupleSize(record.bytes, at, end);
      PageItems.add(page, record.bytes, at, size, demandNumber(u16(record.bytes, numbers + i * 2)));
      at += size;
    }
    if (at != end) {
      throw new RedoException((end - at) + " bytes behind " + count + " tuples");
    }
  }

  /** Deletes the items whose numbers are the block's data. */
  private static void deleteTuples(WalRecord record, int blockId, byte[] page) {
    HashPage.checkType(page, CHAIN);
    PageItems.deleteAll(
        page, record.bytes, record.blockDataOffset[blockId], record.blockDataLength[blockId] / 2);
  }

  /** The size, rounded up to 8, of the tuple at {@code offset}. */
  private static int tupleSize(byte[] bytes, int offset, int end) {
    int size =
        end - offset < TUPLE_HEADER ? 0 : PageItems.align(u16(bytes, offset + 6) & TUPLE_SIZE_MASK);
    if (size < TUPLE_HEADER || size > end - offset) {
      throw new RedoException("tuple of " + size + " bytes where " + (end - offset) + " are left");
    }
    return size;
  }

  /** A block's data, which is one word. */
  private static int word(WalRecord record, int blockId) {
    demandData(record, blockId, 4);
    return i32(record.bytes, record.blockDataOffset[blockId]);
  }

  private static int demandNumber(int number) {
    if (number == 0) {
      throw new RedoException("insert without an item number");
    }
    return number;
  }

  private static void demandMain(WalRecord record, int length) {
    if (record.mainLength < length) {
      throw new RedoException(
          "main data of " + record.mainLength + " bytes, " + length + " needed");
    }
  }

  private static void demandData(WalRecord record, int blockId, int length) {
    if (record.blockDataLength[blockId] < length) {
      throw new RedoException(
          "block data of " + record.blockDataLength[blockId] + " bytes, " + length + " needed");
    }
  }

  private static void demandBlock(int blockId, int demanded) {
    if (blockId != demanded) {
      throw unexpectedBlock(blockId);
    }
  }

  private static void demandBlockPresent(WalRecord record, int id) {
    if (!record.hasBlock(id)) {
      throw new RedoException("the record names no block " + id);
    }
  }

  private static RedoException unexpectedBlock(int blockId) {
    return new RedoException("the record type has no block " + blockId);
  }
}
