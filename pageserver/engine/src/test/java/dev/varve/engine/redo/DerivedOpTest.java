package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import dev.varve.engine.FormatExample;
import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.Page;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DerivedOpTest {
  private final byte[] page = new byte[Page.SIZE];
  private final ByteWriter out = new ByteWriter();

  private void apply() {
    DerivedOp.apply(out.array(), 0, out.length(), page);
  }

  private void example(String name) {
    byte[] op = FormatExample.read("derived-op.md", name);
    DerivedOp.apply(op, 0, op.length, page);
    assertArrayEquals(op, out.toByteArray());
  }

  private void fill(int from) {
    Page.init(page, 0);
    Arrays.fill(page, from, Page.SIZE, (byte) 0xFF);
    Page.setLsn(page, 77);
  }

  @Test
  void zero() {
    fill(24);
    DerivedOp.encodeZero(out);
    apply();
    assertArrayEquals(new byte[Page.SIZE], page);
  }

  @Test
  void clearsVisibilityBits() {
    fill(24);
    DerivedOp.encodeVmClear(32672 * 3 + 301, 3, out);
    example("vm-clear");
    assertEquals((byte) 0xF3, page[24 + 75]);
    assertEquals((byte) 0xFF, page[24 + 74]);
    assertEquals((byte) 0xFF, page[24 + 76]);
    assertEquals(77, Page.lsn(page));
    out.reset();
    DerivedOp.encodeVmClear(302, VisibilityMap.ALL_FROZEN, out);
    apply();
    assertEquals((byte) 0xD3, page[24 + 75]);
    assertEquals(VisibilityMap.ALL_VISIBLE, VisibilityMap.bits(page, 302));
    assertEquals(0, VisibilityMap.bits(page, 301));
    assertEquals(3, VisibilityMap.bits(page, 303));
  }

  @Test
  void truncatesTheVisibilityMap() {
    fill(24);
    DerivedOp.encodeVmTruncate(32672 + 6, out);
    apply();
    assertEquals((byte) 0xFF, page[24]);
    assertEquals(0x0F, page[25]);
    for (int at = 26; at < Page.SIZE; at++) {
      assertEquals(0, page[at]);
    }
    Arrays.fill(page, (byte) 0);
    apply();
    assertFalse(Page.isNew(page));
    assertEquals(1, VisibilityMap.pagesFor(32672));
    assertEquals(2, VisibilityMap.pagesFor(32673));
    assertEquals(0, VisibilityMap.pagesFor(0));
  }

  @Test
  void truncatesTheFreeSpaceMap() {
    Page.init(page, 0);
    int leaves = FreeSpaceMap.NODES + FreeSpaceMap.INNER_NODES_PER_PAGE;
    page[leaves + 10] = 100;
    page[leaves + 11] = (byte) 250;
    page[leaves + 4000] = (byte) 255;
    // A tree that was right before.
    DerivedOp.encodeFsmTruncate(4068, out);
    page[leaves + 4068] = 1;
    apply();
    assertEquals((byte) 255, page[FreeSpaceMap.NODES]);
    assertEquals(0, page[leaves + 4068]);
    out.reset();
    DerivedOp.encodeFsmTruncate(11, out);
    apply();
    assertEquals(100, page[FreeSpaceMap.NODES]);
    assertEquals(100, page[leaves + 10]);
    assertEquals(0, page[leaves + 11]);
    assertEquals(0, page[leaves + 4000]);
  }

  @Test
  void numbersFreeSpacePagesDepthFirst() {
    assertEquals(4069, FreeSpaceMap.SLOTS_PER_PAGE);
    assertEquals(2, FreeSpaceMap.bottomPage(0));
    assertEquals(3, FreeSpaceMap.bottomPage(4069));
    // The 4070th bottom page comes behind a second page of the middle level.
    assertEquals(2 + 4069 + 1, FreeSpaceMap.bottomPage(4069 * 4069));
    assertEquals(2, FreeSpaceMap.pagesFor(0));
    assertEquals(3, FreeSpaceMap.pagesFor(1));
    assertEquals(3, FreeSpaceMap.pagesFor(4069));
    assertEquals(4, FreeSpaceMap.pagesFor(4070));
  }

  @Test
  void setsTransactionStatus() {
    page[64] = 0x02;
    page[65] = (byte) 0xF3;
    DerivedOp.encodeXactStatus(1, new int[] {9, 32768 + 256, 32768 + 261, 9}, 1, 2, out);
    example("xact-status");
    assertEquals(0x01, page[64]);
    assertEquals((byte) 0xF7, page[65]);
  }

  @Test
  void storesMultiXacts() {
    DerivedOp.encodeMultiXactOffset(2048 * 5 + 7, 0x01020304, out);
    apply();
    assertEquals(0x01020304, i32(page, 28));
    Arrays.fill(page, (byte) 0);
    byte[] members = new byte[20];
    putI32(members, 4, 10);
    putI32(members, 8, 4);
    putI32(members, 12, 11);
    putI32(members, 16, 5);
    out.reset();
    DerivedOp.encodeMultiXactMembers(1636 * 2 + 5, members, 4, 2, out);
    example("multixact-members");
    assertEquals(10, i32(page, 28));
    assertEquals(4, page[21]);
    assertEquals(11, i32(page, 32));
    assertEquals(5, page[22]);
  }

  @Test
  void storesCommitTimestamps() {
    DerivedOp.encodeCommitTs(1_000_000, 3, new int[] {819 + 2}, 0, 1, out);
    example("commit-ts");
    assertEquals(1_000_000, i64(page, 20));
    assertEquals(3, u16(page, 28));
  }

  @Test
  void refusesMalformedOperations() {
    for (int seed = 0; seed < 50_000; seed++) {
      Random random = new Random(seed);
      byte[] op = new byte[random.nextInt(20)];
      random.nextBytes(op);
      if (op.length > 0) {
        op[0] = (byte) random.nextInt(9);
      }
      try {
        DerivedOp.apply(op, 0, op.length, page);
      } catch (RedoException | PageserverException.Corrupt e) {
        // What most of them should be.
      } catch (RuntimeException e) {
        fail("seed " + seed, e);
      }
    }
    assertThrows(RedoException.class, () -> DerivedOp.apply(new byte[] {8}, 0, 1, page));
    assertThrows(
        RedoException.class,
        () -> DerivedOp.apply(new byte[] {5, (byte) 0x80, 0x10, 0, 0, 0, 0}, 0, 7, page));
  }
}
