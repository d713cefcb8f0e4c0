package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.wal.WalRecord;

/**
 * Visibility-map bits that heap records clear. Newer minors (17.11 and 18.6 on) register the map's
 * page as a block of the record; where it is not, the page follows from the heap block and the
 * change is told as an effect. Decided by what the record contains, never by version.
 */
final class HeapVisibility {
  private static final ThreadLocal<ByteWriter> OP =
      ThreadLocal.withInitial(() -> new ByteWriter(16));

  private HeapVisibility() {}

  /**
   * Clears the bits of the heap block of {@code heapBlockId} on the map's page, if its entry is
   * there; tells whether anything changed.
   */
  static boolean clear(WalRecord record, int mapBlockId, int heapBlockId, int bits, byte[] page) {
    int heapBlock = record.blockNumber[heapBlockId];
    if (Page.isNew(page) || VisibilityMap.page(heapBlock) != record.blockNumber[mapBlockId]) {
      return false;
    }
    int entry = VisibilityMap.entry(heapBlock);
    if ((VisibilityMap.bits(page, entry) & bits) == 0) {
      return false;
    }
    VisibilityMap.clear(page, entry, bits);
    return true;
  }

  /**
   * Tells that the bits of the heap block of {@code heapBlockId} are cleared, unless the record
   * names the map's page.
   */
  static void derive(WalRecord record, int heapBlockId, int bits, ClusterEffects effects) {
    int heapBlock = record.blockNumber[heapBlockId];
    int mapBlock = VisibilityMap.page(heapBlock);
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]
          && record.blockFork[id] == ForkNumber.VISIBILITY_MAP
          && record.blockNumber[id] == mapBlock) {
        return;
      }
    }
    ByteWriter op = OP.get();
    op.reset();
    DerivedOp.encodeVmClear(heapBlock, bits, op);
    effects.deriveBlock(
        record.blockTablespace[heapBlockId],
        record.blockDatabase[heapBlockId],
        record.blockRelation[heapBlockId],
        ForkNumber.VISIBILITY_MAP,
        mapBlock,
        true,
        op.array(),
        0,
        op.length());
  }
}
