package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * GiST records (resource manager 14). Follows PostgreSQL 15 to 18 {@code
 * src/backend/access/gist/gistxlog.c} and {@code src/include/access/gistxlog.h}.
 *
 * <p>{@code PAGE_REUSE} and {@code ASSIGN_LSN} are of no concern to pages: the one tells standbys
 * of a conflict, the other only takes a place in the WAL.
 */
public final class GistRedo implements ResourceManager {
  private static final int PAGE_UPDATE = 0x00;
  private static final int DELETE = 0x10;
  private static final int PAGE_SPLIT = 0x30;
  private static final int PAGE_DELETE = 0x60;

  /** {@code gistxlogPageSplit} up to its last field. */
  private static final int PAGE_SPLIT_SIZE = 21;

  @Override
  public String name() {
    return "Gist";
  }

  @Override
  public int opcodes() {
    return 0x00CF; // 0x00 to 0x30, 0x60, 0x70
  }

  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (isSplitChild(record, blockId)) {
      finishSplit(record, page);
      return true;
    }
    switch (record.info) {
      case PAGE_UPDATE -> update(record, blockId, page);
      case DELETE -> delete(record, blockId, page, context);
      case PAGE_SPLIT -> split(record, blockId, page);
      case PAGE_DELETE -> deletePage(record, blockId, page);
      default ->
          throw new RedoException(
              "info 0x" + Integer.toHexString(record.info) + " is not known or has no blocks");
    }
    return true;
  }

  /** The image of a child does not have its new node sequence number. */
  @Override
  public boolean redoAfterImage(WalRecord record, int blockId) {
    return isSplitChild(record, blockId);
  }

  /** Whether the block is a child whose split is finished by inserting into its parent. */
  private static boolean isSplitChild(WalRecord record, int blockId) {
    return record.info == PAGE_UPDATE && blockId == 1 || record.info == PAGE_SPLIT && blockId == 0;
  }

  private static void finishSplit(WalRecord record, byte[] page) {
    GistPage.check(page);
    GistPage.setNsn(page, record.endLsn);
    GistPage.clearFlag(page, GistPage.FOLLOW_RIGHT);
  }

  /** Deletes items, or replaces one, and appends tuples. */
  private static void update(WalRecord record, int blockId, byte[] page) {
    demandBlock(blockId, 0);
    demandMain(record, 4);
    GistPage.check(page);
    int deletes = u16(record.bytes, record.mainOffset);
    int inserts = u16(record.bytes, record.mainOffset + 2);
    int data = record.blockDataOffset[0];
    int end = data + record.blockDataLength[0];
    demandNumbers(deletes, end - data);
    int tuples = data + deletes * 2;
    int inserted = 0;
    if (deletes == 1 && inserts == 1) {
      int size = GistPage.tupleSize(record.bytes, tuples, end);
      PageItems.overwrite(page, u16(record.bytes, data), record.bytes, tuples, size);
      tuples += size;
      inserted = 1;
    } else if (deletes > 0) {
      PageItems.deleteAll(page, record.bytes, data, deletes);
      if (GistPage.isLeaf(page)) {
        GistPage.setFlag(page, GistPage.TUPLES_DELETED);
      }
    }
    inserted += GistPage.addTuples(page, record.bytes, tuples, end);
    if (inserted != inserts) {
      throw new RedoException(inserted + " tuples where " + inserts + " are announced");
    }
  }

  /** Deletes items known to be dead, to make room on a leaf. */
  private static void delete(WalRecord record, int blockId, byte[] page, RedoContext context) {
    demandBlock(blockId, 0);
    // Since 16 a flag stands between the count and the item numbers.
    int numbers = context.major().atLeast(PostgresMajor.V16) ? 8 : 6;
    demandMain(record, numbers);
    GistPage.check(page);
    int main = record.mainOffset;
    int deletes = u16(record.bytes, main + 4);
    demandNumbers(deletes, record.mainLength - numbers);
    PageItems.deleteAll(page, record.bytes, main + numbers, deletes);
    GistPage.clearFlag(page, GistPage.HAS_GARBAGE);
    // The primary does not set this one.
    GistPage.setFlag(page, GistPage.TUPLES_DELETED);
  }

  /**
   * Makes one of the pages that a page was split into: blocks 1 to n, linked in this order. Of a
   * root that was split block 1 is the new root, and the others are its children.
   */
  private static void split(WalRecord record, int blockId, byte[] page) {
    demandMain(record, PAGE_SPLIT_SIZE);
    byte[] bytes = record.bytes;
    int main = record.mainOffset;
    int pages = u16(bytes, main + 18);
    if (blockId > pages) {
      throw new RedoException("page " + blockId + " of a split into " + pages);
    }
    boolean leaf = u8(bytes, main + 16) != 0;
    boolean followRight = u8(bytes, main + 20) != 0;
    boolean root = record.blockNumber[blockId] == GistPage.ROOT_BLOCK;
    GistPage.init(page, leaf && !root ? GistPage.LEAF : 0);
    restoreTuples(record, blockId, page);
    GistPage.setNsn(page, i64(bytes, main + 8));
    if (root) {
      return;
    }
    if (blockId == pages) {
      putI32(page, GistPage.RIGHT_LINK, i32(bytes, main));
      return;
    }
    demandBlockPresent(record, blockId + 1);
    putI32(page, GistPage.RIGHT_LINK, record.blockNumber[blockId + 1]);
    demandBlockPresent(record, 1);
    if (followRight && record.blockNumber[1] != GistPage.ROOT_BLOCK) {
      GistPage.setFlag(page, GistPage.FOLLOW_RIGHT);
    }
  }

  /** Fills a page made anew: a count, then so many tuples. */
  private static void restoreTuples(WalRecord record, int blockId, byte[] page) {
    int data = record.blockDataOffset[blockId];
    int length = record.blockDataLength[blockId];
    if (length < 4) {
      throw new RedoException("a split page comes with " + length + " bytes");
    }
    int count = i32(record.bytes, data);
    int added = GistPage.addTuples(page, record.bytes, data + 4, data + length);
    if (added != count) {
      throw new RedoException(added + " tuples where " + count + " are announced");
    }
  }

  private static void deletePage(WalRecord record, int blockId, byte[] page) {
    demandMain(record, 10);
    GistPage.check(page);
    switch (blockId) {
      case 0 -> {
        if (Page.itemCount(page) != 0) {
          throw new RedoException("deleted page has " + Page.itemCount(page) + " items");
        }
        GistPage.setDeleted(page, i64(record.bytes, record.mainOffset));
      }
      case 1 -> PageItems.delete(page, u16(record.bytes, record.mainOffset + 8));
      default -> throw unexpectedBlock(blockId);
    }
  }

  private static void demandNumbers(int count, int length) {
    if (count * 2 > length) {
      throw new RedoException(count + " item numbers in " + length + " bytes");
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

  private static void demandBlockPresent(WalRecord record, int id) {
    if (!record.hasBlock(id)) {
      throw new RedoException("the record names no block " + id);
    }
  }

  private static RedoException unexpectedBlock(int blockId) {
    return new RedoException("the record type has no block " + blockId);
  }
}
