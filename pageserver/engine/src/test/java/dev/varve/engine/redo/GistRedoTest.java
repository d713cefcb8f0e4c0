package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.redo.BlockRecords.i32s;
import static dev.varve.engine.redo.BlockRecords.join;
import static dev.varve.engine.redo.BlockRecords.tuple;
import static dev.varve.engine.redo.BlockRecords.u16s;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** GiST redo on pages made by hand: what PostgreSQL's consistency check does not see. */
class GistRedoTest {
  private static final int GIST = 14;
  private static final int UPDATE = 0x00;
  private static final int DELETE = 0x10;
  private static final int SPLIT = 0x30;
  private static final int PAGE_DELETE = 0x60;

  private static final byte[] NOTHING = new byte[0];

  private static byte[] page(int flags, int items) {
    byte[] page = new byte[Page.SIZE];
    GistPage.init(page, flags);
    for (int i = 1; i <= items; i++) {
      byte[] tuple = tuple(i, 1, i);
      PageItems.add(page, tuple, 0, tuple.length, i);
    }
    return page;
  }

  private static void redo(WalRecord record, int block, byte[] page) {
    Redo.apply(record, block, false, page, new RedoContext(PostgresMajor.V17, false));
  }

  private static int flags(byte[] page) {
    return u16(page, GistPage.FLAGS);
  }

  private static long nsn(byte[] page) {
    return Long.rotateLeft(i64(page, GistPage.NSN), 32);
  }

  /** {@code gistxlogPageSplit} of a leaf, follow-right as told. */
  private static byte[] splitMain(int rightLink, long nsn, int pages, boolean followRight) {
    return join(
        i32s(rightLink, 0, (int) nsn, (int) (nsn >>> 32)),
        new byte[] {1, 0, (byte) pages, 0, (byte) (followRight ? 1 : 0), 0, 0, 0});
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "48, 0"})
  void theChildsSplitIsFinishedEvenAfterItsImage(int info, int child) {
    byte[] main = info == UPDATE ? u16s(0, 0) : splitMain(-1, 7, 2, true);
    WalRecord record = BlockRecords.of(GIST, info, main, child, NOTHING, 0, 1, 2);
    byte[] page = page(GistPage.LEAF | GistPage.FOLLOW_RIGHT, 3);
    Page.setLsn(page, record.endLsn);

    assertTrue(ResourceManagers.of(GIST).redoAfterImage(record, child));
    Redo.apply(record, child, true, page, new RedoContext(PostgresMajor.V17, false));

    assertEquals(GistPage.LEAF, flags(page));
    assertEquals(record.endLsn, nsn(page));
    assertEquals(record.endLsn, Page.lsn(page));
    assertFalse(ResourceManagers.of(GIST).redoAfterImage(record, child == 0 ? 1 : 0));
  }

  @Test
  void halvesAreLinkedInTheirOrder() {
    byte[] main = splitMain(77, 0x1_0000_0009L, 2, true);
    byte[] data = join(i32s(1), tuple(1, 2, 3));
    byte[] left = new byte[Page.SIZE];
    redo(BlockRecords.of(GIST, SPLIT, main, 1, data, 2), 1, left);
    assertEquals(GistPage.LEAF | GistPage.FOLLOW_RIGHT, flags(left));
    assertEquals(102, i32(left, GistPage.RIGHT_LINK));
    assertEquals(0x1_0000_0009L, nsn(left));
    assertEquals(1, Page.itemCount(left));

    byte[] right = new byte[Page.SIZE];
    redo(BlockRecords.of(GIST, SPLIT, main, 2, data, 1), 2, right);
    assertEquals(GistPage.LEAF, flags(right));
    assertEquals(77, i32(right, GistPage.RIGHT_LINK));
    assertEquals(0x1_0000_0009L, nsn(right));
  }

  @Test
  void aSplitRootIsAboveItsChildren() {
    byte[] main = splitMain(-1, 5, 3, true);
    byte[] data = join(i32s(1), tuple(1, 2, 3));
    WalRecord record = BlockRecords.of(GIST, SPLIT, main, 1, data, 2, 3);
    record.blockNumber[1] = GistPage.ROOT_BLOCK;
    byte[] root = new byte[Page.SIZE];
    redo(record, 1, root);
    assertEquals(0, flags(root));
    assertEquals(GistPage.NO_BLOCK, i32(root, GistPage.RIGHT_LINK));

    record = BlockRecords.of(GIST, SPLIT, main, 2, data, 1, 3);
    record.blockNumber[1] = GistPage.ROOT_BLOCK;
    byte[] child = new byte[Page.SIZE];
    redo(record, 2, child);
    assertEquals(GistPage.LEAF, flags(child), "no follow-right: the parent knows all of them");
    assertEquals(103, i32(child, GistPage.RIGHT_LINK));
  }

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void deadItemsGo(PostgresMajor major) {
    byte[] numbers = u16s(1, 3);
    byte[] main =
        major.atLeast(PostgresMajor.V16)
            ? join(i32s(9), u16s(2, 0), numbers)
            : join(i32s(9), u16s(2), numbers);
    byte[] page = page(GistPage.LEAF | GistPage.HAS_GARBAGE, 4);
    WalRecord record = BlockRecords.of(GIST, DELETE, main, 0, NOTHING);
    Redo.apply(record, 0, false, page, new RedoContext(major, false));
    assertEquals(GistPage.LEAF | GistPage.TUPLES_DELETED, flags(page));
    assertEquals(2, Page.itemCount(page));
    assertEquals(2, i64(page, PageItems.item(page, 1, 16) + 8));
    assertEquals(4, i64(page, PageItems.item(page, 2, 16) + 8));
  }

  @Test
  void onlyALeafRemembersThatItemsWereDeleted() {
    byte[] data = join(u16s(2), tuple(8, 1, 1), tuple(9, 1, 1));
    byte[] inner = page(0, 3);
    redo(BlockRecords.of(GIST, UPDATE, u16s(1, 2), 0, data), 0, inner);
    assertEquals(0, flags(inner));
    assertEquals(4, Page.itemCount(inner));
    byte[] leaf = page(GistPage.LEAF, 3);
    redo(BlockRecords.of(GIST, UPDATE, u16s(1, 0), 0, u16s(2)), 0, leaf);
    assertEquals(GistPage.LEAF | GistPage.TUPLES_DELETED, flags(leaf));
    assertEquals(2, Page.itemCount(leaf));
  }

  @Test
  void aDeletedPageKeepsWhoDeletedIt() {
    byte[] main = join(i32s(9, 2), u16s(3));
    byte[] page = page(GistPage.LEAF, 0);
    redo(BlockRecords.of(GIST, PAGE_DELETE, main, 0, NOTHING, 1), 0, page);
    assertEquals(GistPage.LEAF | GistPage.DELETED, flags(page));
    assertEquals(0x2_0000_0009L, i64(page, Page.HEADER_SIZE));
    assertEquals(Page.HEADER_SIZE + 8, Page.lower(page));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    byte[] one = tuple(8, 1, 1);
    refused(UPDATE, u16s(0, 2), 0, one, page(0, 3));
    refused(UPDATE, u16s(9, 0), 0, u16s(1), page(0, 3));
    refused(UPDATE, u16s(1, 0), 0, u16s(4), page(0, 3));
    refused(UPDATE, u16s(0, 1), 2, one, page(0, 3));
    refused(UPDATE, u16s(0, 1), 0, one, new byte[Page.SIZE]);
    refused(DELETE, join(i32s(9), u16s(2, 0, 1)), 0, NOTHING, page(0, 3));
    refused(SPLIT, splitMain(-1, 5, 2, true), 3, join(i32s(1), one), page(0, 0));
    refused(SPLIT, splitMain(-1, 5, 2, true), 2, join(i32s(2), one), page(0, 0));
    refused(SPLIT, splitMain(-1, 5, 2, true), 1, join(i32s(1), one), page(0, 0));
    refused(PAGE_DELETE, join(i32s(9, 0), u16s(3)), 0, NOTHING, page(GistPage.LEAF, 1));
    refused(0x20, new byte[32], 0, NOTHING, page(0, 0));
    refused(0x40, new byte[32], 0, NOTHING, page(0, 0));
  }

  private static void refused(int info, byte[] main, int block, byte[] data, byte[] page) {
    WalRecord record = BlockRecords.of(GIST, info, main, block, data);
    assertThrows(RedoException.class, () -> redo(record, block, page));
  }
}
