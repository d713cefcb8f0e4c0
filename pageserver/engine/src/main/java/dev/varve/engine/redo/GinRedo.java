package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;

/**
 * GIN records (resource manager 13). Follows PostgreSQL 17 {@code src/backend/access/gin/ginxlog.c}
 * and {@code src/include/access/ginxlog.h}; the same in 15 to 18.
 */
public final class GinRedo implements ResourceManager {
  private static final int CREATE_PTREE = 0x10;
  private static final int INSERT = 0x20;
  private static final int SPLIT = 0x30;
  private static final int VACUUM_PAGE = 0x40;
  private static final int DELETE_PAGE = 0x50;
  private static final int UPDATE_META_PAGE = 0x60;
  private static final int INSERT_LISTPAGE = 0x70;
  private static final int DELETE_LISTPAGE = 0x80;
  private static final int VACUUM_DATA_LEAF_PAGE = 0x90;

  private static final int IS_DATA = 0x01;
  private static final int IS_LEAF = 0x02;

  private static final int TUPLE_HEADER = 8;
  private static final int TUPLE_SIZE_MASK = 0x1FFF;
  private static final int NO_BLOCK = -1;

  @Override
  public String name() {
    return "Gin";
  }

  @Override
  public int opcodes() {
    return 0x03FE; // 0x10 to 0x90
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    switch (record.info) {
      case CREATE_PTREE -> createPostingTree(record, blockId, page);
      case INSERT -> insert(record, blockId, page);
      case SPLIT -> {
        if (blockId != 3) {
          throw new RedoException("a half of a split page comes without an image");
        }
        finishSplit(page);
      }
      case VACUUM_PAGE -> throw new RedoException("a vacuumed page comes without an image");
      case DELETE_PAGE -> deletePage(record, blockId, page);
      case UPDATE_META_PAGE -> updateMeta(record, blockId, page);
      case INSERT_LISTPAGE -> insertListPage(record, blockId, page);
      case DELETE_LISTPAGE -> {
        demandMain(record, GinPage.META_SIZE + 4);
        if (blockId == 0) {
          GinPage.initMeta(page, record.bytes, record.mainOffset);
        } else {
          GinPage.init(page, GinPage.DELETED);
        }
      }
      case VACUUM_DATA_LEAF_PAGE -> {
        demandBlock(blockId, 0);
        GinDataLeaf.recompress(
            page, record.bytes, record.blockDataOffset[0], record.blockDataLength[0]);
      }
      default ->
          throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    }
    return true;
  }

  private static void createPostingTree(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    demandMain(record, 4);
    int size = i32(record.bytes, record.mainOffset);
    if (size < 0 || size > record.mainLength - 4) {
      throw new RedoException(
          "segments of " + size + " bytes in main data of " + record.mainLength);
    }
    GinDataLeaf.init(page, record.bytes, record.mainOffset + 4, size);
  }

  private static void insert(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 2);
    int main = record.mainOffset;
    int flags = u16(record.bytes, main);
    boolean leaf = (flags & IS_LEAF) != 0;
    if (blockId == 1 && !leaf) {
      finishSplit(page);
      return;
    }
    demandBlock(blockId, 0);
    int rightChild = NO_BLOCK;
    if (!leaf) {
      demandMain(record, 10);
      // Behind the left child, as two halves, the high one first.
      rightChild = u16(record.bytes, main + 6) << 16 | u16(record.bytes, main + 8);
    }
    int data = record.blockDataOffset[0];
    int length = record.blockDataLength[0];
    if ((flags & IS_DATA) == 0) {
      insertEntry(page, record.bytes, data, length, rightChild);
    } else if (leaf) {
      GinDataLeaf.recompress(page, record.bytes, data, length);
    } else {
      GinPage.checkFlags(page, GinPage.DATA | GinPage.LEAF, GinPage.DATA);
      if (length < 2 + GinPage.POSTING_ITEM_SIZE) {
        throw new RedoException("posting item in " + length + " bytes");
      }
      GinPage.insertPostingItem(page, record.bytes, data + 2, u16(record.bytes, data), rightChild);
    }
  }

  /**
   * Inserts a tuple into a page of the entry tree, or replaces one; the item there is pointed to
   * the right half of its child.
   */
  private static void insertEntry(byte[] page, byte[] bytes, int data, int length, int rightChild) {
    GinPage.checkFlags(page, GinPage.DATA, 0);
    if (length < 4 + TUPLE_HEADER) {
      throw new RedoException("entry tuple in " + length + " bytes");
    }
    int number = u16(bytes, data);
    if (number == 0) {
      throw new RedoException("insert without an item number");
    }
    if (rightChild != NO_BLOCK) {
      int tuple = PageItems.item(page, number, TUPLE_HEADER);
      putU16(page, tuple, rightChild >>> 16);
      putU16(page, tuple + 2, rightChild);
      putU16(page, tuple + 4, 0);
    }
    if (u8(bytes, data + 2) != 0) {
      PageItems.delete(page, number);
    }
    PageItems.add(page, bytes, data + 4, tupleSize(bytes, data + 4, data + length), number);
  }

  private static void deletePage(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 12);
    int main = record.mainOffset;
    switch (blockId) {
      case 0 -> {
        GinPage.checkFlags(page, GinPage.DATA, GinPage.DATA);
        GinPage.setFlag(page, GinPage.DELETED);
        putI32(page, Page.PRUNE_XID, i32(record.bytes, main + 8));
      }
      case 1 -> {
        GinPage.checkFlags(page, GinPage.DATA | GinPage.LEAF, GinPage.DATA);
        GinPage.deletePostingItem(page, u16(record.bytes, main));
      }
      case 2 -> {
        GinPage.checkFlags(page, GinPage.DATA, GinPage.DATA);
        putI32(page, GinPage.RIGHT_LINK, i32(record.bytes, main + 4));
      }
      default -> throw unexpectedBlock(blockId);
    }
  }

  /** The pending list grew: by tuples on its last page, or by pages behind it. */
  private static void updateMeta(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 84);
    int main = record.mainOffset;
    if (blockId == 0) {
      GinPage.initMeta(page, record.bytes, main + 16);
      return;
    }
    demandBlock(blockId, 1);
    GinPage.checkFlags(page, GinPage.LIST, GinPage.LIST);
    int tuples = i32(record.bytes, main + 80);
    if (tuples > 0) {
      addTuples(record, blockId, page, tuples);
      putU16(page, GinPage.MAX_OFF, u16(page, GinPage.MAX_OFF) + 1);
    } else {
      putI32(page, GinPage.RIGHT_LINK, i32(record.bytes, main + 76));
    }
  }

  private static void insertListPage(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    demandMain(record, 8);
    int rightLink = i32(record.bytes, record.mainOffset);
    GinPage.init(page, GinPage.LIST | (rightLink == NO_BLOCK ? GinPage.LIST_FULL_ROW : 0));
    putI32(page, GinPage.RIGHT_LINK, rightLink);
    putU16(page, GinPage.MAX_OFF, rightLink == NO_BLOCK ? 1 : 0);
    addTuples(record, blockId, page, i32(record.bytes, record.mainOffset + 4));
  }

  /** Appends the tuples of the block's data. */
  private static void addTuples(WalRecord record, int blockId, byte[] page, int count) {
    PageItems.checkCount(count);
    int at = record.blockDataOffset[blockId];
    int end = at + record.blockDataLength[blockId];
    for (int i = 0; i < count; i++) {
      int size = tupleSize(record.bytes, at, end);
      PageItems.add(page, record.bytes, at, size, Page.itemCount(page) + 1);
      at += size;
    }
  }

  private static int tupleSize(byte[] bytes, int offset, int end) {
    int size = end - offset < TUPLE_HEADER ? 0 : u16(bytes, offset + 6) & TUPLE_SIZE_MASK;
    if (size < TUPLE_HEADER || size > end - offset) {
      throw new RedoException("tuple of " + size + " bytes where " + (end - offset) + " are left");
    }
    return size;
  }

  private static void finishSplit(byte[] page) {
    GinPage.check(page);
    GinPage.clearFlag(page, GinPage.INCOMPLETE_SPLIT);
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

  private static RedoException unexpectedBlock(int blockId) {
    return new RedoException("the record type has no block " + blockId);
  }
}
