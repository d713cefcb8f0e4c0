package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * What hot standbys want to know; of it only the next transaction id matters here. Follows
 * PostgreSQL 17 {@code standby_redo}.
 */
final class StandbyRedo extends BlocklessManager {
  private static final int LOCK = 0x00;
  private static final int RUNNING_XACTS = 0x10;
  private static final int INVALIDATIONS = 0x20;

  @Override
  public String name() {
    return "Standby";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case LOCK -> {
        in.skip(12 * in.countOf(12));
        in.end();
      }
      case RUNNING_XACTS -> {
        int count = in.countOf(4);
        int subCount = in.countOf(4);
        in.skip(4); // whether subtransactions overflowed
        int nextXid = in.i32();
        in.skip(8); // oldest running and latest completed
        in.skip(4 * (count + subCount));
        in.end();
        if (Integer.compareUnsigned(nextXid, Xid.FIRST_NORMAL) > 0) {
          effects.advanceNextXid(nextXid - 1);
        }
      }
      case INVALIDATIONS -> {
        in.skip(12); // database, tablespace, flag
        in.skip(16 * in.countOf(16));
        in.end();
      }
      default -> throw unknown(record);
    }
  }
}
