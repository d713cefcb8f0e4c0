package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * B-tree records (resource manager 11). Follows PostgreSQL 15 to 18 {@code
 * src/backend/access/nbtree/nbtxlog.c} and {@code nbtxlog.h}.
 */
public final class BtreeRedo implements ResourceManager {
  private static final int INSERT_LEAF = 0x00;
  private static final int INSERT_UPPER = 0x10;
  private static final int INSERT_META = 0x20;
  private static final int SPLIT_L = 0x30;
  private static final int SPLIT_R = 0x40;
  private static final int INSERT_POST = 0x50;
  private static final int DEDUP = 0x60;
  private static final int DELETE = 0x70;
  private static final int UNLINK_PAGE = 0x80;
  private static final int UNLINK_PAGE_META = 0x90;
  private static final int NEWROOT = 0xA0;
  private static final int MARK_PAGE_HALFDEAD = 0xB0;
  private static final int VACUUM = 0xC0;
  private static final int META_CLEANUP = 0xE0;

  @Override
  public String name() {
    return "Btree";
  }

  @Override
  public int opcodes() {
    return 0x7FFF; // 0x00 to 0xE0
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    switch (record.info) {
      case INSERT_LEAF, INSERT_UPPER, INSERT_META, INSERT_POST -> insert(record, blockId, page);
      case SPLIT_L -> split(record, blockId, page, true);
      case SPLIT_R -> split(record, blockId, page, false);
      case DEDUP -> dedup(record, blockId, page);
      case DELETE -> {
        demandBlock(blockId, 0);
        BtreePage.check(page);
        // The counts follow the conflict horizon.
        delete(record, page, 4);
      }
      case VACUUM -> {
        demandBlock(blockId, 0);
        BtreePage.check(page);
        delete(record, page, 0);
        if (context.major().atLeast(PostgresMajor.V18)) {
          putU16(page, BtreePage.CYCLE_ID, 0);
        }
      }
      case UNLINK_PAGE, UNLINK_PAGE_META -> unlink(record, blockId, page);
      case NEWROOT -> newRoot(record, blockId, page);
      case MARK_PAGE_HALFDEAD -> markHalfDead(record, blockId, page);
      case META_CLEANUP -> {
        demandBlock(blockId, 0);
        initMeta(record, blockId, page);
      }
      default ->
          throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    }
    return true;
  }

  private static void insert(WalRecord record, int blockId, byte[] page) {
    if (blockId == 1 && (record.info == INSERT_UPPER || record.info == INSERT_META)) {
      finishSplit(page);
    } else if (blockId == 2 && record.info == INSERT_META) {
      initMeta(record, blockId, page);
    } else {
      demandBlock(blockId, 0);
      BtreePage.check(page);
      demandMain(record, 2);
      int number = u16(record.bytes, record.mainOffset);
      int data = record.blockDataOffset[0];
      int length = record.blockDataLength[0];
      if (number == 0) {
        throw new RedoException("insert without an item number");
      }
      if (record.info == INSERT_POST) {
        insertIntoPosting(page, record.bytes, data, length, number);
      } else {
        if (length < BtreePage.TUPLE_HEADER) {
          throw new RedoException("tuple of " + length + " bytes");
        }
        PageItems.add(page, record.bytes, data, length, number);
      }
    }
  }

  /** Inserts a tuple whose TID falls among those of the posting list before it. */
  private static void insertIntoPosting(
      byte[] page, byte[] bytes, int data, int length, int number) {
    int tupleSize = BtreePage.tupleSize(bytes, data + 2, data + length);
    int posting = BtreePage.tuple(page, number - 1);
    int postingNumber = number - 1;
    int added = PageItems.add(page, bytes, data + 2, tupleSize, number);
    int tuple = PageItems.offset(PageItems.itemId(page, added));
    if (posting != PageItems.offset(PageItems.itemId(page, postingNumber))) {
      throw new RedoException("posting list item " + postingNumber + " moved");
    }
    BtreePage.swapPosting(page, posting, u16(bytes, data), page, tuple);
  }

  private static void split(WalRecord record, int blockId, byte[] page, boolean newItemLeft) {
    demandMain(record, 10);
    int level = i32(record.bytes, record.mainOffset);
    switch (blockId) {
      case 0 -> splitLeft(record, page, level == 0, newItemLeft);
      case 1 -> {
        demandBlockPresent(record, 0);
        BtreePage.init(
            page,
            record.blockNumber[0],
            record.hasBlock(2) ? record.blockNumber[2] : 0,
            level,
            level == 0 ? BtreePage.LEAF : 0);
        BtreePage.restoreItems(
            page, record.bytes, record.blockDataOffset[1], record.blockDataLength[1]);
      }
      case 2 -> {
        BtreePage.check(page);
        demandBlockPresent(record, 1);
        putI32(page, BtreePage.PREVIOUS, record.blockNumber[1]);
      }
      case 3 -> {
        if (level == 0) {
          throw new RedoException("split of a leaf names a child");
        }
        finishSplit(page);
      }
      default -> throw unexpectedBlock(blockId);
    }
  }

  /**
   * Keeps the left half of a page, the new item in it where it belongs there, under a new high key.
   */
  private static void splitLeft(WalRecord record, byte[] page, boolean leaf, boolean newItemLeft) {
    BtreePage.check(page);
    demandBlockPresent(record, 1);
    byte[] bytes = record.bytes;
    int firstRight = u16(bytes, record.mainOffset + 4);
    int newItem = u16(bytes, record.mainOffset + 6);
    int postingOffset = u16(bytes, record.mainOffset + 8);
    int data = record.blockDataOffset[0];
    int end = data + record.blockDataLength[0];
    int newTuple = data;
    int newSize = 0;
    if (newItemLeft || postingOffset != 0) {
      newSize = BtreePage.tupleSize(bytes, data, end);
      data += newSize;
    }
    byte[] swapped = bytes;
    int posting = 0;
    if (postingOffset != 0) {
      // The page is rebuilt from its posting list as swapped; the record stays as it is.
      posting = newItem - 1;
      swapped = new byte[newSize];
      System.arraycopy(bytes, newTuple, swapped, 0, newSize);
      newTuple = 0;
      BtreePage.swapPosting(page, BtreePage.tuple(page, posting), postingOffset, swapped, 0);
    }
    int highKeySize = BtreePage.tupleSize(bytes, data, end);
    if (firstRight > Page.itemCount(page) + 1) {
      throw new RedoException("first right item " + firstRight + " of " + Page.itemCount(page));
    }
    byte[] left = BtreePage.emptyLike(page);
    PageItems.add(left, bytes, data, highKeySize, BtreePage.HIGH_KEY);
    int added = BtreePage.HIGH_KEY;
    int number = BtreePage.firstDataItem(page);
    for (; number < firstRight; number++) {
      if (newItemLeft && number == newItem) {
        PageItems.add(left, swapped, newTuple, newSize, ++added);
      }
      int tuple = BtreePage.tuple(page, number);
      int length =
          number == posting
              ? PageItems.align(BtreePage.rawTupleSize(page, tuple))
              : PageItems.length(PageItems.itemId(page, number));
      PageItems.add(left, page, tuple, length, ++added);
    }
    if (newItemLeft && number == newItem) {
      PageItems.add(left, swapped, newTuple, newSize, ++added);
    }
    putU16(left, BtreePage.FLAGS, BtreePage.INCOMPLETE_SPLIT | (leaf ? BtreePage.LEAF : 0));
    putI32(left, BtreePage.NEXT, record.blockNumber[1]);
    putU16(left, BtreePage.CYCLE_ID, 0);
    BtreePage.replace(page, left);
  }

  private static void dedup(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    BtreePage.check(page);
    demandMain(record, 2);
    int intervals = u16(record.bytes, record.mainOffset);
    if (intervals * 4 > record.blockDataLength[0]) {
      throw new RedoException(intervals + " intervals in " + record.blockDataLength[0] + " bytes");
    }
    BtreeDedup.merge(page, record.bytes, record.blockDataOffset[0], intervals);
  }

  private static void delete(WalRecord record, byte[] page, int counts) {
    demandMain(record, counts + 4);
    int main = record.mainOffset + counts;
    BtreeDedup.delete(
        page,
        record.bytes,
        record.blockDataOffset[0],
        record.blockDataLength[0],
        u16(record.bytes, main),
        u16(record.bytes, main + 2));
    BtreePage.clearFlag(page, BtreePage.HAS_GARBAGE);
  }

  private static void markHalfDead(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 20);
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    if (blockId == 0) {
      BtreePage.initHalfDead(
          page, i32(bytes, main + 8), i32(bytes, main + 12), i32(bytes, main + 16));
      return;
    }
    demandBlock(blockId, 1);
    BtreePage.check(page);
    int number = u16(bytes, main);
    int next = BtreePage.tuple(page, number + 1);
    int tuple = BtreePage.tuple(page, number);
    BtreePage.putTidBlock(page, tuple, BtreePage.tidBlock(page, next));
    PageItems.delete(page, number + 1);
  }

  private static void unlink(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 36);
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int left = i32(bytes, main);
    int right = i32(bytes, main + 4);
    switch (blockId) {
      case 0 ->
          BtreePage.initDeleted(page, left, right, i32(bytes, main + 8), i64(bytes, main + 16));
      case 1 -> {
        BtreePage.check(page);
        putI32(page, BtreePage.NEXT, right);
      }
      case 2 -> {
        BtreePage.check(page);
        putI32(page, BtreePage.PREVIOUS, left);
      }
      case 3 ->
          BtreePage.initHalfDead(
              page, i32(bytes, main + 24), i32(bytes, main + 28), i32(bytes, main + 32));
      case 4 -> initMeta(record, blockId, page);
      default -> throw unexpectedBlock(blockId);
    }
  }

  private static void newRoot(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 8);
    int level = i32(record.bytes, record.mainOffset + 4);
    switch (blockId) {
      case 0 -> {
        BtreePage.init(page, 0, 0, level, BtreePage.ROOT | (level == 0 ? BtreePage.LEAF : 0));
        if (level != 0) {
          BtreePage.restoreItems(
              page, record.bytes, record.blockDataOffset[0], record.blockDataLength[0]);
        }
      }
      case 1 -> finishSplit(page);
      case 2 -> initMeta(record, blockId, page);
      default -> throw unexpectedBlock(blockId);
    }
  }

  /** The parent has the downlink to the page's right half now. */
  private static void finishSplit(byte[] page) {
    BtreePage.check(page);
    BtreePage.clearFlag(page, BtreePage.INCOMPLETE_SPLIT);
  }

  private static void initMeta(WalRecord record, int blockId, byte[] page) {
    BtreePage.initMeta(
        page, record.bytes, record.blockDataOffset[blockId], record.blockDataLength[blockId]);
  }

  private static void demandMain(WalRecord record, int length) {
    if (record.mainLength < length) {
      throw new RedoException(
          "main data of " + record.mainLength + " bytes, " + length + " needed");
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
