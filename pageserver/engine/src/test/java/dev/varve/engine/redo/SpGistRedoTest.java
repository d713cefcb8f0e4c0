package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.redo.BlockRecords.i32s;
import static dev.varve.engine.redo.BlockRecords.join;
import static dev.varve.engine.redo.BlockRecords.u16s;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import org.junit.jupiter.api.Test;

/** SP-GiST redo by hand, where no workload leads to. */
class SpGistRedoTest {
  private static final int ADD_LEAF = 0x10;
  private static final int ADD_NODE = 0x30;
  private static final int XID = 900;
  private static final RedoContext CONTEXT = new RedoContext(PostgresMajor.V17, false);

  /** An inner tuple without prefix whose nodes lead nowhere yet. */
  private static byte[] inner(int nodes) {
    byte[] tuple = join(i32s(nodes << 3), u16s(8 + nodes * 16, 0));
    for (int i = 0; i < nodes; i++) {
      tuple = join(tuple, u16s(0xFFFF, 0xFFFF, 0, 16), i32s(i, 0));
    }
    return tuple;
  }

  /** Two inner tuples of two nodes. */
  private static byte[] page() {
    byte[] page = new byte[Page.SIZE];
    SpGistPage.init(page, 0);
    byte[] tuple = inner(2);
    PageItems.add(page, tuple, 0, tuple.length, 1);
    PageItems.add(page, tuple, 0, tuple.length, 2);
    return page;
  }

  /** The tuple at item 2 moves to item 3 of block 101, its parent is item 1 there. */
  private static WalRecord toTheParentsPage(int block, boolean build) {
    byte[] main = join(u16s(2, 3, 0x0100, 1, 1, 0), i32s(XID, build ? 1 : 0), inner(3));
    return BlockRecords.of(16, ADD_NODE, main, block, new byte[0], 0, 1);
  }

  @Test
  void anInnerTupleMovesToItsParentsPage() {
    byte[] page = page();
    Redo.apply(toTheParentsPage(1, false), 1, false, page, CONTEXT);
    assertEquals(3, Page.itemCount(page));
    assertEquals(56, PageItems.length(PageItems.itemId(page, 3)));
    int node = PageItems.item(page, 1, 40) + 8 + 16;
    assertEquals(0, u16(page, node));
    assertEquals(101, u16(page, node + 2));
    assertEquals(3, u16(page, node + 4));
    assertEquals(0x5000, Page.lsn(page));
  }

  @Test
  void aRedirectStaysWhereItWas() {
    byte[] page = page();
    Redo.apply(toTheParentsPage(0, false), 0, false, page, CONTEXT);
    int tuple = PageItems.item(page, 2, 16);
    assertEquals(SpGistPage.REDIRECT | 16 << 2, i32(page, tuple));
    assertEquals(101, u16(page, tuple + 8));
    assertEquals(3, u16(page, tuple + 10));
    assertEquals(XID, i32(page, tuple + 12));
    assertEquals(1, u16(page, SpGistPage.REDIRECTS));
    assertEquals(0, u16(page, SpGistPage.PLACEHOLDERS));
  }

  @Test
  void whileAnIndexIsBuiltAPlaceholderStays() {
    byte[] page = page();
    Redo.apply(toTheParentsPage(0, true), 0, false, page, CONTEXT);
    int tuple = PageItems.item(page, 2, 16);
    assertEquals(SpGistPage.PLACEHOLDER | 16 << 2, i32(page, tuple));
    assertEquals(-1, i32(page, tuple + 6));
    assertEquals(0, i32(page, tuple + 12));
    assertEquals(0, u16(page, SpGistPage.REDIRECTS));
    assertEquals(1, u16(page, SpGistPage.PLACEHOLDERS));
  }

  @Test
  void onlyAPlaceholderIsReplaced() {
    byte[] leaf = join(i32s(16 << 2), u16s(0, 0, 7, 1), i32s(0));
    WalRecord record =
        BlockRecords.of(16, ADD_LEAF, join(u16s(0, 2, 0, 0, 0), leaf), 0, new byte[0]);
    assertThrows(RedoException.class, () -> Redo.apply(record, 0, false, page(), CONTEXT));
  }

  @Test
  void aPageOfAnotherKindIsRefused() {
    byte[] page = new byte[Page.SIZE];
    GinPage.init(page, 0);
    assertThrows(
        RedoException.class, () -> Redo.apply(toTheParentsPage(0, false), 0, false, page, CONTEXT));
  }
}
