package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.redo.BlockRecords.i32s;
import static dev.varve.engine.redo.BlockRecords.join;
import static dev.varve.engine.redo.BlockRecords.tuple;
import static dev.varve.engine.redo.BlockRecords.u16s;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Posting lists and splits of B-tree leaves, seen as keys with TIDs. */
class BtreeRedoTest {
  private static final RedoContext V17 = new RedoContext(PostgresMajor.V17, false);

  private static void redo(byte[] page, int info, byte[] main, byte[] data, int... others) {
    redo(page, V17, info, main, data, others);
  }

  private static void redo(
      byte[] page, RedoContext context, int info, byte[] main, byte[] data, int... others) {
    WalRecord record = BlockRecords.of(11, info, main, 0, data, others);
    Redo.apply(record, 0, true, page, context);
    assertEquals(record.endLsn, Page.lsn(page));
  }

  /** A rightmost leaf with one tuple for each key, at block 1 and items 1, 2, 3, … */
  private static byte[] leaf(int... keys) {
    byte[] page = new byte[Page.SIZE];
    BtreePage.init(page, 7, 0, 0, BtreePage.LEAF | BtreePage.HAS_GARBAGE);
    for (int i = 0; i < keys.length; i++) {
      redo(page, 0x00, u16s(i + 1), tuple(keys[i], 1, i + 1));
    }
    return page;
  }

  /** Every item: its key, then its TIDs' items. */
  private static List<String> items(byte[] page) {
    List<String> items = new ArrayList<>();
    for (int number = 1; number <= Page.itemCount(page); number++) {
      int tuple = BtreePage.tuple(page, number);
      StringBuilder text = new StringBuilder(i32(page, tuple + 8) + ":");
      for (int i = 0; i < BtreePage.tidCount(page, tuple); i++) {
        text.append(' ').append(u16(page, BtreePage.tid(page, tuple, i) + 4));
      }
      items.add(text.toString());
    }
    return items;
  }

  @Test
  void mergesEqualTuples() {
    byte[] page = leaf(3, 5, 5, 5, 6, 7, 7);
    redo(page, 0x60, u16s(2), u16s(2, 3, 6, 2));
    assertEquals(List.of("3: 1", "5: 2 3 4", "6: 5", "7: 6 7"), items(page));
    assertEquals(BtreePage.LEAF, BtreePage.flags(page));
    // 16 bytes of key and three TIDs, rounded up.
    assertEquals(40, PageItems.length(PageItems.itemId(page, 2)));
    redo(page, 0x00, u16s(3), tuple(5, 1, 40));
    redo(page, 0x60, u16s(1), u16s(2, 2));
    assertEquals(List.of("3: 1", "5: 2 3 4 40", "6: 5", "7: 6 7"), items(page));
  }

  @Test
  void refusesIntervalsThatDoNotFit() {
    assertThrows(RedoException.class, () -> redo(leaf(1, 1), 0x60, u16s(1), u16s(1, 3)));
    assertThrows(RedoException.class, () -> redo(leaf(1, 1), 0x60, u16s(1), u16s(3, 2)));
    assertThrows(RedoException.class, () -> redo(leaf(1, 1), 0x60, u16s(2), u16s(1, 2)));
  }

  @Test
  void splitsPostingLists() {
    byte[] page = leaf(5, 5, 5);
    redo(page, 0x00, u16s(4), tuple(5, 1, 9));
    redo(page, 0x60, u16s(1), u16s(1, 4));
    assertEquals(List.of("5: 1 2 3 9"), items(page));
    redo(page, 0x50, u16s(2), join(u16s(3), tuple(5, 1, 6)));
    assertEquals(List.of("5: 1 2 3 6", "5: 9"), items(page));
    assertThrows(
        RedoException.class,
        () -> redo(page.clone(), 0x50, u16s(2), join(u16s(4), tuple(5, 1, 7))));
    assertThrows(
        RedoException.class,
        () -> redo(page.clone(), 0x50, u16s(3), join(u16s(1), tuple(5, 1, 7))));
  }

  @Test
  void deletesTidsAndItems() {
    byte[] page = leaf(1, 5, 5, 5, 6, 7, 7, 8);
    redo(page, 0x60, u16s(2), u16s(2, 3, 6, 2));
    redo(page, 0xC0, u16s(2, 2), u16s(1, 3, 2, 4, 1, 1, 1, 0));
    assertEquals(List.of("5: 2 4", "7: 7", "8: 8"), items(page));
    assertThrows(RedoException.class, () -> redo(page.clone(), 0xC0, u16s(0, 1), u16s(1, 2, 0, 1)));
    assertThrows(RedoException.class, () -> redo(page.clone(), 0xC0, u16s(0, 1), u16s(1, 1, 2)));
    assertThrows(RedoException.class, () -> redo(page.clone(), 0xC0, u16s(4, 0), u16s(1, 2, 3)));
    assertThrows(RedoException.class, () -> redo(page.clone(), 0xC0, u16s(3, 0), u16s(2, 1, 3)));
    // The same data, behind the conflict horizon.
    redo(page, 0x70, join(i32s(77), u16s(1, 1), new byte[1]), u16s(3, 1, 1, 0));
    assertEquals(List.of("5: 4", "7: 7"), items(page));
  }

  @Test
  void forgetsTheVacuumCycleFrom18On() {
    for (PostgresMajor major : PostgresMajor.values()) {
      byte[] page = leaf(1, 2);
      putU16(page, BtreePage.CYCLE_ID, 9);
      redo(page, new RedoContext(major, false), 0xC0, u16s(1, 0), u16s(1));
      assertEquals(major.atLeast(PostgresMajor.V18) ? 0 : 9, u16(page, BtreePage.CYCLE_ID));
    }
  }

  @Test
  void keepsTheLeftHalf() {
    byte[] page = leaf(1, 2, 3, 4, 5);
    redo(page, 0x30, join(i32s(0), u16s(4, 3, 0)), join(tuple(2, 1, 50), tuple(4, 1, 4)), 1);
    assertEquals(List.of("4: 4", "1: 1", "2: 2", "2: 50", "3: 3"), items(page));
    assertEquals(101, i32(page, BtreePage.NEXT));
    assertEquals(7, i32(page, BtreePage.PREVIOUS));
    assertEquals(BtreePage.LEAF | BtreePage.INCOMPLETE_SPLIT, BtreePage.flags(page));

    page = leaf(1, 2, 3, 4, 5);
    redo(page, 0x30, join(i32s(0), u16s(4, 4, 0)), join(tuple(3, 1, 50), tuple(4, 1, 4)), 1);
    assertEquals(List.of("4: 4", "1: 1", "2: 2", "3: 3", "3: 50"), items(page));

    page = leaf(1, 2, 3, 4, 5);
    redo(page, 0x40, join(i32s(0), u16s(3, 4, 0)), tuple(3, 1, 3), 1);
    assertEquals(List.of("3: 3", "1: 1", "2: 2"), items(page));
  }

  @Test
  void splitsAPostingListWithItsPage() {
    byte[] page = leaf(1, 5, 5, 5, 9);
    redo(page, 0x60, u16s(1), u16s(2, 3));
    // The posting list stays on the left, what it gives up opens the right page.
    redo(page, 0x40, join(i32s(0), u16s(3, 3, 1)), join(tuple(5, 1, 3), tuple(5, 1, 4)), 1);
    assertEquals(List.of("5: 4", "1: 1", "5: 2 3 3"), items(page));
  }

  @Test
  void refusesBlocksAndInfosOfOtherRecords() {
    assertThrows(RedoException.class, () -> redo(leaf(1), 0xF0, new byte[0], new byte[0]));
    WalRecord record = BlockRecords.of(11, 0x00, u16s(1), 1, tuple(1, 1, 1));
    assertThrows(RedoException.class, () -> Redo.apply(record, 1, true, leaf(1), V17));
    assertThrows(RedoException.class, () -> redo(leaf(1), 0x00, u16s(3), tuple(1, 1, 1)));
    assertThrows(
        RedoException.class, () -> redo(new byte[Page.SIZE], 0x00, u16s(1), tuple(1, 1, 1)));
  }
}
