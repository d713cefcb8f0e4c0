package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putU16;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.postgres.Page;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** The codec of posting lists, and changes of posting tree leaves against lists of numbers. */
class GinPostingListTest {
  private static final long SEED = 20260101;

  private static long tid(long block, int item) {
    return block << 11 | item;
  }

  private static byte[] list(long... tids) {
    byte[] page = new byte[Page.SIZE];
    int size = GinPostingList.encode(tids, tids.length, page);
    return Arrays.copyOf(page, size);
  }

  @Test
  void writesWhatPostgresWrites() {
    // Block 0x00010002, items 5 and 7, then block 0x00010003, item 1: differences 2 and 2042.
    assertEquals(
        "01000200" + "0500" + "0300" + "02" + "fa0f" + "00",
        HexFormat.of().formatHex(list(tid(0x10002, 5), tid(0x10002, 7), tid(0x10003, 1))));
    assertEquals("000000000100" + "0000", HexFormat.of().formatHex(list(tid(0, 1))));
  }

  @Test
  void keepsRandomLists() {
    Random random = new Random(SEED);
    for (int round = 0; round < 300; round++) {
      int gap = 1 << random.nextInt(20);
      long[] tids = new long[1 + random.nextInt(1000)];
      long tid = tid(random.nextInt(1000), 1);
      for (int i = 0; i < tids.length; i++) {
        tid += 1 + random.nextInt(gap);
        tids[i] = tid;
      }
      byte[] list = list(tids);
      assertEquals(list.length, GinPostingList.size(list, 0, list.length));
      assertArrayEquals(tids, GinPostingList.decode(list, 0));
    }
  }

  @Test
  void keepsTheLongestDifference() {
    long[] tids = {tid(0, 1), tid(0xFFFF_FFFFL, 2047)};
    byte[] list = list(tids);
    assertEquals(8 + 7 + 1, list.length);
    assertArrayEquals(tids, GinPostingList.decode(list, 0));
  }

  @Test
  void refusesWhatIsCutOff() {
    byte[] list = list(tid(1, 1), tid(2, 1), tid(90, 3));
    assertThrows(RedoException.class, () -> GinPostingList.size(list, 0, list.length - 1));
    assertThrows(RedoException.class, () -> GinPostingList.size(list, 0, 7));
    putU16(list, 6, 1); // ends within the first difference
    assertThrows(RedoException.class, () -> GinPostingList.decode(list, 0));
  }

  @Test
  void refusesMoreThanAPage() {
    long[] tids = LongStream.range(0, 8185 + 1).map(i -> i + 1).toArray();
    assertThrows(
        RedoException.class, () -> GinPostingList.encode(tids, tids.length, new byte[Page.SIZE]));
    assertThrows(
        RedoException.class,
        () -> GinPostingList.encode(new long[] {9, 3}, 2, new byte[Page.SIZE]));
  }

  @Test
  void mergesWithoutDuplicates() {
    assertArrayEquals(
        new long[] {1, 2, 3, 5, 8},
        GinPostingList.merge(new long[] {2, 5, 8}, new long[] {1, 2, 3, 5}));
    assertArrayEquals(new long[] {1}, GinPostingList.merge(new long[0], new long[] {1}));
  }

  private static byte[] leaf(byte[]... segments) {
    byte[] contents = BlockRecords.join(segments);
    byte[] page = new byte[Page.SIZE];
    GinDataLeaf.init(page, contents, 0, contents.length);
    return page;
  }

  private static byte[] contents(byte[] page) {
    return Arrays.copyOfRange(page, GinPage.CONTENTS, Page.lower(page));
  }

  @Test
  void changesSegments() {
    byte[] a = list(tid(1, 1), tid(1, 9));
    byte[] b = list(tid(5, 1), tid(5, 2), tid(7, 1));
    byte[] c = list(tid(9, 1));
    byte[] d = list(tid(12, 4), tid(13, 5));
    byte[] inserted = list(tid(8, 1), tid(8, 2));
    byte[] replacing = list(tid(9, 1), tid(9, 3));
    byte[] last = list(tid(40, 1));
    byte[] page = leaf(a, b, c, d);
    byte[] added = new byte[12];
    GinPostingList.putTid(added, 0, tid(4, 7));
    GinPostingList.putTid(added, 6, tid(6, 6));
    byte[] changes =
        BlockRecords.join(
            BlockRecords.u16s(5),
            new byte[] {1, 4, 2, 0},
            added,
            new byte[] {2, 2},
            inserted,
            new byte[] {2, 3},
            replacing,
            new byte[] {3, 1, 4, 2},
            last);
    GinDataLeaf.recompress(page, changes, 0, changes.length);
    byte[] merged = list(tid(4, 7), tid(5, 1), tid(5, 2), tid(6, 6), tid(7, 1));
    assertArrayEquals(BlockRecords.join(a, merged, inserted, replacing, last), contents(page));
  }

  @Test
  void convertsOldLeaves() {
    byte[] page = new byte[Page.SIZE];
    GinPage.init(page, GinPage.DATA | GinPage.LEAF);
    for (int i = 0; i < 3; i++) {
      GinPostingList.putTid(page, GinPage.CONTENTS + i * 6, tid(3 + i, 1));
    }
    putU16(page, GinPage.MAX_OFF, 3);
    byte[] more = list(tid(70, 1));
    byte[] changes = BlockRecords.join(BlockRecords.u16s(1), new byte[] {1, 2}, more);
    GinDataLeaf.recompress(page, changes, 0, changes.length);
    assertArrayEquals(
        BlockRecords.join(list(tid(3, 1), tid(4, 1), tid(5, 1)), more), contents(page));
    assertEquals(GinPage.DATA | GinPage.LEAF | GinPage.COMPRESSED, GinPage.flags(page));
  }

  @Test
  void refusesUnknownChangesAndMissingSegments() {
    for (byte[] change :
        new byte[][] {{0, 9}, {3, 1}, {0, 2, 0}, {0, 4, 5, 0}, {1, 1, 0, 1}, {1, 4, 0, 0}}) {
      byte[] page = leaf(list(tid(1, 1)));
      byte[] changes =
          BlockRecords.join(
              BlockRecords.u16s(change.length == 4 && change[1] == 1 ? 2 : 1), change);
      assertThrows(
          RedoException.class, () -> GinDataLeaf.recompress(page, changes, 0, changes.length));
    }
  }
}
