package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.postgres.Page;

/**
 * Posting lists of B-tree leaves: merging equal tuples into them and deleting TIDs from them.
 * Stateless. Follows PostgreSQL 17 {@code src/backend/access/nbtree/nbtdedup.c} and {@code
 * nbtxlog.c}; the same in 15 to 18.
 */
final class BtreeDedup {
  /** {@code BTMaxItemSize}: a third of a page, less room for a heap TID in the high key. */
  static final int MAX_ITEM_SIZE = 2704;

  private static final int TID_SIZE = 6;
  private static final int INTERVAL_SIZE = 4;

  private BtreeDedup() {}

  /**
   * Merges the runs of tuples that the intervals name; every other tuple is kept. The page is built
   * anew. {@code BTDedupInterval[count]} stands at {@code intervals}: first item, number of items.
   */
  static void merge(byte[] page, byte[] bytes, int intervals, int count) {
    byte[] made = BtreePage.emptyLike(page);
    int items = Page.itemCount(page);
    int first = BtreePage.firstDataItem(page);
    if (first > BtreePage.HIGH_KEY) {
      copyItem(page, BtreePage.HIGH_KEY, made);
    }
    byte[] posting = new byte[MAX_ITEM_SIZE];
    int interval = 0;
    int number = first;
    while (number <= items) {
      int merged = 1;
      if (interval < count && u16(bytes, intervals + interval * INTERVAL_SIZE) == number) {
        merged = Math.max(1, u16(bytes, intervals + interval * INTERVAL_SIZE + 2));
        if (merged > 1) {
          interval++;
        }
      }
      if (merged > items - number + 1) {
        throw new RedoException(
            "interval of " + merged + " items from item " + number + " of " + items);
      }
      if (merged == 1) {
        int tuple = BtreePage.tuple(page, number);
        PageItems.add(
            made, page, tuple, BtreePage.rawTupleSize(page, tuple), Page.itemCount(made) + 1);
      } else {
        mergeRun(page, number, merged, made, posting);
      }
      number += merged;
    }
    if (interval != count) {
      throw new RedoException(count + " intervals, " + interval + " found on the page");
    }
    putU16(made, BtreePage.FLAGS, BtreePage.flags(made) & ~BtreePage.HAS_GARBAGE);
    BtreePage.replace(page, made);
  }

  private static void copyItem(byte[] page, int number, byte[] made) {
    int offset = PageItems.item(page, number, BtreePage.TUPLE_HEADER);
    PageItems.add(made, page, offset, PageItems.length(PageItems.itemId(page, number)), number);
  }

  /** Makes one tuple of a run: the first one's key, everyone's TIDs. */
  private static void mergeRun(byte[] page, int first, int run, byte[] made, byte[] posting) {
    int base = BtreePage.tuple(page, first);
    int keySize = BtreePage.keySize(page, base);
    if (keySize < BtreePage.TUPLE_HEADER || keySize > BtreePage.rawTupleSize(page, base)) {
      throw new RedoException("key of " + keySize + " bytes");
    }
    int tids = 0;
    for (int number = first; number < first + run; number++) {
      int tuple = BtreePage.tuple(page, number);
      int more = BtreePage.tidCount(page, tuple);
      if (BtreePage.isPosting(page, tuple)) {
        BtreePage.checkPosting(page, tuple);
      }
      if (PageItems.align(keySize + (tids + more) * TID_SIZE) > MAX_ITEM_SIZE) {
        throw new RedoException("merged posting list is too long");
      }
      System.arraycopy(
          page, BtreePage.tid(page, tuple, 0), posting, keySize + tids * TID_SIZE, more * TID_SIZE);
      tids += more;
    }
    add(page, base, keySize, tids, posting);
    PageItems.add(
        made, posting, 0, BtreePage.sizeWithTids(keySize, tids), Page.itemCount(made) + 1);
  }

  /** Completes in {@code posting}, whose TIDs are in place, the tuple made from {@code base}. */
  private static void add(byte[] page, int base, int keySize, int tids, byte[] posting) {
    System.arraycopy(page, base, posting, 0, keySize);
    int size = BtreePage.sizeWithTids(keySize, tids);
    for (int i = keySize + tids * TID_SIZE; i < size; i++) {
      posting[i] = 0;
    }
    BtreePage.setTidCount(posting, 0, tids, keySize, size);
  }

  /**
   * Deletes TIDs from posting lists and then whole items. {@code u16} arrays stand at {@code
   * offset}: items to delete, items to update, and for each of the latter a count and the indexes
   * of its TIDs to delete.
   */
  static void delete(byte[] page, byte[] bytes, int offset, int length, int deleted, int updated) {
    long fixed = 2L * deleted + 2L * updated;
    if (fixed > length) {
      throw new RedoException(
          deleted + " deleted and " + updated + " updated items in " + length + " bytes");
    }
    int updatedItems = offset + deleted * 2;
    int at = updatedItems + updated * 2;
    int end = offset + length;
    if (updated > 0) {
      byte[] made = new byte[MAX_ITEM_SIZE];
      for (int i = 0; i < updated; i++) {
        if (end - at < 2 || end - at - 2 < u16(bytes, at) * 2) {
          throw new RedoException("TIDs to delete exceed the block's data");
        }
        int count = u16(bytes, at);
        deleteTids(page, u16(bytes, updatedItems + i * 2), bytes, at + 2, count, made);
        at += 2 + count * 2;
      }
    }
    if (deleted > 0) {
      PageItems.deleteAll(page, bytes, offset, deleted);
    }
  }

  /**
   * Replaces a posting list tuple by one without the TIDs whose indexes, ascending, are given
   * ({@code _bt_update_posting}).
   */
  private static void deleteTids(
      byte[] page, int number, byte[] bytes, int indexes, int count, byte[] made) {
    int tuple = BtreePage.tuple(page, number);
    BtreePage.checkPosting(page, tuple);
    int keySize = BtreePage.keySize(page, tuple);
    int tids = BtreePage.tidCount(page, tuple);
    int kept = tids - count;
    if (kept < 1) {
      throw new RedoException(count + " of " + tids + " TIDs are deleted");
    }
    int size = BtreePage.sizeWithTids(keySize, kept);
    if (size > made.length) {
      throw new RedoException("posting list tuple of " + size + " bytes");
    }
    System.arraycopy(page, tuple, made, 0, keySize);
    int to = kept > 1 ? keySize : 0;
    int skip = 0;
    int copied = 0;
    for (int i = 0; i < tids; i++) {
      if (skip < count && u16(bytes, indexes + skip * 2) == i) {
        skip++;
      } else if (copied++ < kept) {
        BtreePage.copyTid(page, BtreePage.tid(page, tuple, i), made, to);
        to += TID_SIZE;
      }
    }
    if (skip != count) {
      throw new RedoException("TIDs to delete are not in order or not in the posting list");
    }
    int unset = kept > 1 ? to : size;
    for (int i = unset; i < size; i++) {
      made[i] = 0;
    }
    BtreePage.setTidCount(made, 0, kept, keySize, size);
    PageItems.overwrite(page, number, made, 0, PageItems.align(size));
  }
}
