package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;

/**
 * Block range index records (resource manager 17). Follows PostgreSQL 17 {@code
 * src/backend/access/brin/brin_xlog.c}, {@code brin_pageops.c} and {@code
 * src/include/access/brin_page.h}; the same in 15 to 18.
 */
public final class BrinRedo implements ResourceManager {
  private static final int CREATE_INDEX = 0x00;
  private static final int INSERT = 0x10;
  private static final int UPDATE = 0x20;
  private static final int SAMEPAGE_UPDATE = 0x30;
  private static final int REVMAP_EXTEND = 0x40;
  private static final int DESUMMARIZE = 0x50;
  private static final int OPERATION_MASK = 0x70;
  private static final int INIT_PAGE = 0x80;

  private static final int SPECIAL_SIZE = 8;
  private static final int TYPE = Page.SIZE - 2;
  private static final int TYPE_META = 0xF091;
  private static final int TYPE_REVMAP = 0xF092;
  private static final int TYPE_REGULAR = 0xF093;

  private static final int MAGIC = 0xA8109CFA;
  private static final int META_SIZE = 16;
  private static final int LAST_REVMAP_PAGE = Page.HEADER_SIZE + 12;

  private static final int TID_SIZE = 6;
  private static final int TIDS_PER_REVMAP_PAGE =
      (Page.SIZE - Page.HEADER_SIZE - SPECIAL_SIZE) / TID_SIZE;

  @Override
  public String name() {
    return "BRIN";
  }

  @Override
  public int opcodes() {
    return 0x3F3F; // 0x00 to 0x50, each with and without 0x80
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    switch (record.info & OPERATION_MASK) {
      case CREATE_INDEX -> createIndex(record, blockId, page);
      case INSERT -> insert(record, blockId, page, record.mainOffset, 0);
      case UPDATE -> {
        if (blockId == 2) {
          demandMain(record, 2);
          checkType(page, TYPE_REGULAR);
          PageItems.deleteKeepingNumbers(page, u16(record.bytes, record.mainOffset));
        } else {
          insert(record, blockId, page, record.mainOffset + 4, 4);
        }
      }
      case SAMEPAGE_UPDATE -> {
        demandBlock(blockId, 0);
        demandMain(record, 2);
        checkType(page, TYPE_REGULAR);
        PageItems.overwrite(
            page,
            u16(record.bytes, record.mainOffset),
            record.bytes,
            record.blockDataOffset[0],
            record.blockDataLength[0]);
      }
      case REVMAP_EXTEND -> extendRevmap(record, blockId, page);
      case DESUMMARIZE -> desummarize(record, blockId, page);
      default ->
          throw new RedoException("info 0x" + Integer.toHexString(record.info) + " is not known");
    }
    return true;
  }

  private static void createIndex(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    demandMain(record, 6);
    init(page, TYPE_META);
    int meta = Page.HEADER_SIZE;
    putI32(page, meta, MAGIC);
    putI32(page, meta + 4, u16(record.bytes, record.mainOffset + 4));
    putI32(page, meta + 8, i32(record.bytes, record.mainOffset));
    putU16(page, Page.LOWER, meta + META_SIZE);
  }

  /**
   * Adds a summary to a regular page and points the range's entry in the revmap to it; {@code
   * xl_brin_insert} stands at {@code main}.
   */
  private static void insert(WalRecord record, int blockId, byte[] page, int main, int before) {
    demandMain(record, before + 10);
    int number = u16(record.bytes, main + 8);
    switch (blockId) {
      case 0 -> {
        if ((record.info & INIT_PAGE) != 0) {
          init(page, TYPE_REGULAR);
        }
        checkType(page, TYPE_REGULAR);
        if (number == 0) {
          throw new RedoException("insert without an item number");
        }
        PageItems.add(
            page, record.bytes, record.blockDataOffset[0], record.blockDataLength[0], number, true);
      }
      case 1 -> {
        if (!record.hasBlock(0)) {
          throw new RedoException("the record names no block 0");
        }
        int entry = revmapEntry(page, i32(record.bytes, main), i32(record.bytes, main + 4));
        putTid(page, entry, record.blockNumber[0], number);
      }
      default -> throw unexpectedBlock(blockId);
    }
  }

  private static void extendRevmap(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 4);
    switch (blockId) {
      case 0 -> {
        checkType(page, TYPE_META);
        putI32(page, LAST_REVMAP_PAGE, i32(record.bytes, record.mainOffset));
        // Indexes made before PostgreSQL 11 left it at the header's end.
        putU16(page, Page.LOWER, Page.HEADER_SIZE + META_SIZE);
      }
      case 1 -> init(page, TYPE_REVMAP);
      default -> throw unexpectedBlock(blockId);
    }
  }

  private static void desummarize(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 10);
    int main = record.mainOffset;
    switch (blockId) {
      case 0 ->
          putTid(
              page, revmapEntry(page, i32(record.bytes, main + 4), i32(record.bytes, main)), -1, 0);
      case 1 -> {
        checkType(page, TYPE_REGULAR);
        PageItems.deleteKeepingNumbers(page, u16(record.bytes, main + 8));
      }
      default -> throw unexpectedBlock(blockId);
    }
  }

  /**
   * Where the revmap page has the entry of the range with this heap block; both numbers are
   * unsigned.
   */
  private static int revmapEntry(byte[] page, int heapBlock, int pagesPerRange) {
    checkType(page, TYPE_REVMAP);
    if (pagesPerRange == 0) {
      throw new RedoException("ranges of no pages");
    }
    int range = Integer.divideUnsigned(heapBlock, pagesPerRange);
    return Page.HEADER_SIZE + Integer.remainderUnsigned(range, TIDS_PER_REVMAP_PAGE) * TID_SIZE;
  }

  private static void putTid(byte[] page, int offset, int block, int number) {
    putU16(page, offset, block >>> 16);
    putU16(page, offset + 2, block);
    putU16(page, offset + 4, number);
  }

  private static void init(byte[] page, int type) {
    Page.init(page, SPECIAL_SIZE);
    putU16(page, TYPE, type);
  }

  private static void checkType(byte[] page, int type) {
    if (Page.special(page) != Page.SIZE - SPECIAL_SIZE || u16(page, TYPE) != type) {
      throw new RedoException(
          "BRIN page of type 0x"
              + Integer.toHexString(u16(page, TYPE))
              + ", expected 0x"
              + Integer.toHexString(type));
    }
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
