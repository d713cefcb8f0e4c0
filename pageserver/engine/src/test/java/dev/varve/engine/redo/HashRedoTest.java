package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.redo.BlockRecords.i32s;
import static dev.varve.engine.redo.BlockRecords.join;
import static dev.varve.engine.redo.BlockRecords.tuple;
import static dev.varve.engine.redo.BlockRecords.u16s;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What no workload makes a server write, and what differs between majors. */
class HashRedoTest {
  private static final int SPARES = Page.HEADER_SIZE + 52;
  private static final int MAP_COUNT = Page.HEADER_SIZE + 44;
  private static final int MAPS = Page.HEADER_SIZE + 444;

  private static final byte[] NONE = new byte[0];

  private static long redo(
      byte[] page,
      PostgresMajor major,
      int info,
      byte[] main,
      int block,
      byte[] data,
      int... others) {
    WalRecord record = BlockRecords.of(12, info, main, block, data, others);
    Redo.apply(record, block, true, page, new RedoContext(major, false));
    return Page.lsn(page);
  }

  private static byte[] meta(double tuples) {
    byte[] page = new byte[Page.SIZE];
    HashPage.initMeta(page, tuples, 449, 100);
    return page;
  }

  private static byte[] bucket() {
    byte[] page = new byte[Page.SIZE];
    HashPage.init(page, 7, 3, HashPage.BUCKET | HashPage.HAS_DEAD_TUPLES);
    for (int i = 1; i <= 5; i++) {
      byte[] tuple = tuple(i, 1, i);
      PageItems.add(page, tuple, 0, tuple.length, i);
    }
    return page;
  }

  /** Buckets double up to 512; from there each doubling comes in four phases. */
  @ParameterizedTest
  @CsvSource({
    "0, 2, 1",
    "200, 2, 1",
    "301, 4, 2",
    "500, 8, 3",
    "51200, 512, 9",
    "51300, 640, 10",
    "64000, 640, 10",
    "64100, 768, 11",
    "76900, 896, 12",
    "102400, 1024, 13",
    "102500, 1280, 14",
    "1e30, 1073741824, 93"
  })
  void makesAsManyBucketsAsTuplesNeed(double tuples, int buckets, int splitPoint) {
    byte[] page = meta(tuples);
    assertEquals(buckets - 1, i32(page, HashPage.MAX_BUCKET));
    assertEquals(splitPoint, i32(page, HashPage.OVERFLOW_POINT));
    assertEquals(1, i32(page, SPARES + splitPoint * 4));
  }

  @Test
  void overflowPageBringsASecondBitmap() {
    byte[] main = new byte[] {0, 16, 0};
    byte[] page = meta(100);
    redo(page, PostgresMajor.V17, 0x10, u16s(4096), 1, NONE);
    assertEquals(3, i32(page, MAPS));
    redo(page, PostgresMajor.V17, 0x30, main, 4, i32s(32768), 0, 1, 3);
    assertEquals(32768, i32(page, HashPage.FIRST_FREE));
    assertEquals(2, i32(page, MAP_COUNT));
    assertEquals(103, i32(page, MAPS + 4));
    assertEquals(3, i32(page, SPARES + 4));

    byte[] bitmap = new byte[Page.SIZE];
    redo(bitmap, PostgresMajor.V17, 0x30, main, 3, NONE, 0, 1, 4);
    assertEquals(HashPage.BITMAP, HashPage.flags(bitmap));
    assertEquals(-1, i32(bitmap, Page.HEADER_SIZE + 4092));
    assertEquals(0, i32(bitmap, Page.HEADER_SIZE + 4096));
    assertEquals(Page.HEADER_SIZE + 4096, Page.lower(bitmap));
  }

  @Test
  void freedPageInTheMiddleIsBypassed() {
    byte[] main = join(i32s(55, 66), u16s(0, 0));
    byte[] previous = bucket();
    byte[] next = bucket();
    redo(previous, PostgresMajor.V17, 0x80, main, 3, NONE);
    redo(next, PostgresMajor.V17, 0x80, main, 4, NONE);
    assertEquals(66, i32(previous, HashPage.NEXT));
    assertEquals(7, i32(previous, HashPage.PREVIOUS));
    assertEquals(55, i32(next, HashPage.PREVIOUS));
    assertEquals(-1, i32(next, HashPage.NEXT));
  }

  /** A page written to that gets no tuple keeps its LSN since 17. */
  @ParameterizedTest
  @CsvSource({"V15, 5000", "V16, 5000", "V17, 0", "V18, 0"})
  void squeezeWithoutTuples(PostgresMajor major, String lsn) {
    byte[] page = bucket();
    assertEquals(
        Long.parseLong(lsn, 16), redo(page, major, 0x80, join(i32s(55, 66), u16s(0, 0)), 1, NONE));
    assertEquals(-1, i32(page, HashPage.NEXT));
    assertEquals(0x5000, redo(page, major, 0x80, join(i32s(55, 66), u16s(0, 0x100)), 1, NONE));
    assertEquals(66, i32(page, HashPage.NEXT));
  }

  /** Since 16 the byte behind a count of two bytes says whether the table is a catalog. */
  @ParameterizedTest
  @CsvSource({"V15, 0", "V16, 0", "V16, 1", "V17, 1", "V18, 1"})
  void vacuumsOnePage(PostgresMajor major, int catalog) {
    byte[] main = join(i32s(9), u16s(3, catalog, 1, 3, 5));
    byte[] page = bucket();
    redo(page, major, 0xC0, main, 0, NONE);
    assertEquals(2, Page.itemCount(page));
    assertEquals(4, i64(page, PageItems.item(page, 2, 16) + 8));
    assertEquals(HashPage.BUCKET, u16(page, HashPage.FLAGS));
    byte[] meta = meta(100);
    redo(meta, major, 0xB0, i32s(0, 0x40240000), 0, NONE);
    redo(meta, major, 0xC0, main, 1, NONE);
    assertEquals(7.0, Double.longBitsToDouble(i64(meta, HashPage.TUPLE_COUNT)));
  }

  @Test
  void pageNamedForItsLockStays() {
    byte[] page = bucket();
    for (int info : new int[] {0x70, 0x80, 0x90}) {
      assertEquals(0, redo(page, PostgresMajor.V17, info, new byte[12], 0, NONE));
    }
    assertArrayEquals(bucket(), page);
  }

  @Test
  void splitPageNeedsItsImage() {
    assertThrows(RedoException.class, () -> redo(bucket(), PostgresMajor.V17, 0x50, NONE, 0, NONE));
  }
}
