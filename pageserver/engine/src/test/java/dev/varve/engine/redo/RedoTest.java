package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import org.junit.jupiter.api.Test;

/**
 * The driver's rules, on {@code FPI_FOR_HINT} without image (changes nothing) and {@code FPI} (must
 * not come without image).
 */
class RedoTest {
  private static final RedoContext CONTEXT = new RedoContext(PostgresMajor.V17, false);

  private static WalRecord record(int info, int flags) {
    WalRecord record = EffectsTest.record(0, info, 0, new byte[0]);
    record.maxBlockId = 0;
    record.blockPresent[0] = true;
    record.blockFlags[0] = flags;
    record.blockTablespace[0] = 1663;
    record.blockDatabase[0] = 5;
    record.blockRelation[0] = 9000;
    record.blockFork[0] = 2;
    record.blockNumber[0] = 17;
    return record;
  }

  private static byte[] page(long lsn) {
    byte[] page = new byte[Page.SIZE];
    Page.init(page, 0);
    Page.setLsn(page, lsn);
    return page;
  }

  @Test
  void passesOverPagesThatHaveTheEffect() {
    WalRecord record = record(0xA0, 0);
    assertTrue(Redo.apply(record, 0, false, page(0xFF8), CONTEXT));
    assertFalse(Redo.apply(record, 0, false, page(0x1000), CONTEXT));
    assertFalse(Redo.apply(record, 0, false, page(-8), CONTEXT)); // unsigned
    assertTrue(Redo.apply(record, 0, true, page(0x1000), CONTEXT));
  }

  @Test
  void zeroesPagesThatAreInitialised() {
    byte[] page = page(0x2000);
    assertTrue(Redo.apply(record(0xA0, WalRecord.WILL_INIT), 0, false, page, CONTEXT));
    assertTrue(Page.isNew(page));
  }

  @Test
  void stampsImagesButNotOfNewPages() {
    WalRecord record = record(0xB0, WalRecord.HAS_IMAGE);
    record.bytes = page(1);
    record.blockImageApplies[0] = true;
    record.blockImageLength[0] = Page.SIZE;
    byte[] page = page(0x9000);
    Redo.applyBlock(record, 0, page, CONTEXT);
    assertEquals(0x1000, Page.lsn(page));
    record.bytes = new byte[Page.SIZE];
    Redo.applyBlock(record, 0, page, CONTEXT);
    assertEquals(0, Page.lsn(page));
  }

  @Test
  void namesRecordAndBlock() {
    RedoException e =
        assertThrows(
            RedoException.class, () -> Redo.apply(record(0xB0, 0), 0, false, page(0), CONTEXT));
    assertEquals(
        "redo of XLOG/0xb0 ending at 0/1000 to block 17 (id 0) of 1663/5/9000_vm: there is no full-page image",
        e.getMessage());
    WalRecord custom = record(0, 0);
    custom.rmid = 200;
    e = assertThrows(RedoException.class, () -> Redo.apply(custom, 0, false, page(0), CONTEXT));
    assertTrue(
        e.getMessage().contains("resource manager 200 belongs to an extension"), e.getMessage());
  }

  /** What the timeline asks before it keeps a record, with or without blocks. */
  @Test
  void refusesRecordTypesThatNobodyKnows() {
    int[][] unknown = {
      {11, 0xF0},
      {12, 0xD0},
      {13, 0x00},
      {13, 0xA0},
      {14, 0x40},
      {14, 0x50},
      {15, 0x10},
      {16, 0x00},
      {16, 0x90},
      {17, 0x60},
      {17, 0xE0},
      {20, 0x10}
    };
    for (int[] each : unknown) {
      WalRecord record = EffectsTest.record(each[0], each[1], 0, new byte[0]);
      RedoException e =
          assertThrows(
              RedoException.class,
              () -> Redo.effects(record, CONTEXT, new RecordingEffects(false)),
              () -> each[0] + " " + each[1]);
      assertEquals(
          "effects of %s/0x%x ending at 0/1000: info 0x%x is not known"
              .formatted(ResourceManagers.name(each[0]), each[1], each[1]),
          e.getMessage());
    }
  }
}
