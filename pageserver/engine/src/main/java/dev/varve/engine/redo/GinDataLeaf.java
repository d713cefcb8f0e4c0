package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * A leaf of a posting tree: a row of posting lists, its segments, of which a record names those
 * that change. Stateless. Follows PostgreSQL 17 {@code ginRedoRecompress} in {@code
 * src/backend/access/gin/ginxlog.c}; the same in 15 to 18.
 *
 * <pre>
 * changes := count u16, change*
 * change  := segment u8, action u8, [list padded to an even size | count u16, TID*]
 * action  := 1 delete, 2 insert before (list), 3 replace (list), 4 add TIDs (count, TIDs)
 * </pre>
 */
final class GinDataLeaf {
  private static final int DELETE = 1;
  private static final int INSERT = 2;
  private static final int REPLACE = 3;
  private static final int ADD_ITEMS = 4;

  private GinDataLeaf() {}

  /** Makes an empty leaf and fills it with segments. */
  static void init(byte[] page, byte[] from, int offset, int length) {
    GinPage.init(page, GinPage.DATA | GinPage.LEAF | GinPage.COMPRESSED);
    GinPage.setDataSize(page, length);
    System.arraycopy(from, offset, page, GinPage.CONTENTS, length);
  }

  /** Applies the changes that stand at {@code offset}. */
  static void recompress(byte[] page, byte[] bytes, int offset, int length) {
    GinPage.checkFlags(
        page, GinPage.DATA | GinPage.LEAF | GinPage.DELETED, GinPage.DATA | GinPage.LEAF);
    if ((GinPage.flags(page) & GinPage.COMPRESSED) == 0) {
      convert(page);
    }
    int oldEnd = Page.lower(page);
    if (oldEnd < GinPage.CONTENTS || oldEnd > GinPage.OPAQUE) {
      throw new RedoException("contents of a posting tree leaf end at " + oldEnd);
    }
    int end = offset + length;
    if (length < 2 || u16(bytes, offset) == 0) {
      throw new RedoException("no changes of a posting tree leaf");
    }
    int changes = u16(bytes, offset);
    int at = offset + 2;
    byte[] old = Arrays.copyOf(page, oldEnd);
    int oldAt = GinPage.CONTENTS;
    int to = GinPage.CONTENTS;
    int segment = 0;
    for (int change = 0; change < changes; change++) {
      if (end - at < 2) {
        throw new RedoException("changes of a posting tree leaf exceed the data");
      }
      int target = u8(bytes, at);
      int action = u8(bytes, at + 1);
      at += 2;
      if (target < segment) {
        throw new RedoException("segment " + target + " is changed after " + segment);
      }
      for (; segment < target; segment++) {
        int size = GinPostingList.size(old, oldAt, oldEnd);
        to = put(page, to, old, oldAt, size);
        oldAt += size;
      }
      switch (action) {
        case DELETE -> {}
        case INSERT, REPLACE -> {
          int size = GinPostingList.size(bytes, at, end);
          to = put(page, to, bytes, at, size);
          at += size;
        }
        case ADD_ITEMS -> {
          int size = 2 + (end - at < 2 ? 0 : u16(bytes, at) * GinPostingList.TID_SIZE);
          if (end - at < size) {
            throw new RedoException("added TIDs exceed the data");
          }
          GinPostingList.size(old, oldAt, oldEnd);
          byte[] made = new byte[Page.SIZE];
          long[] tids =
              GinPostingList.merge(
                  tids(bytes, at + 2, u16(bytes, at)), GinPostingList.decode(old, oldAt));
          to = put(page, to, made, 0, GinPostingList.encode(tids, tids.length, made));
          at += size;
        }
        default ->
            throw new RedoException("change " + action + " of a posting tree leaf is not known");
      }
      if (action != INSERT) {
        oldAt += GinPostingList.size(old, oldAt, oldEnd);
        segment++;
      }
    }
    to = put(page, to, old, oldAt, oldEnd - oldAt);
    GinPage.setDataSize(page, to - GinPage.CONTENTS);
  }

  private static int put(byte[] page, int to, byte[] from, int offset, int length) {
    if (length > GinPage.OPAQUE - to) {
      throw new RedoException("segments do not fit into a posting tree leaf");
    }
    System.arraycopy(from, offset, page, to, length);
    return to + length;
  }

  /** Turns a leaf of PostgreSQL 9.3 and before, an array of TIDs, into one segment. */
  private static void convert(byte[] page) {
    int count = u16(page, GinPage.MAX_OFF);
    if (GinPage.CONTENTS + count * GinPostingList.TID_SIZE > GinPage.OPAQUE) {
      throw new RedoException(count + " TIDs on a posting tree leaf");
    }
    int size = 0;
    if (count > 0) {
      byte[] made = new byte[Page.SIZE];
      size = GinPostingList.encode(tids(page, GinPage.CONTENTS, count), count, made);
      put(page, GinPage.CONTENTS, made, 0, size);
    }
    GinPage.setDataSize(page, size);
    GinPage.setFlag(page, GinPage.COMPRESSED);
    putU16(page, GinPage.MAX_OFF, 0);
  }

  private static long[] tids(byte[] bytes, int offset, int count) {
    long[] tids = new long[count];
    for (int i = 0; i < count; i++) {
      tids[i] = GinPostingList.tid(bytes, offset + i * GinPostingList.TID_SIZE);
    }
    return tids;
  }
}
