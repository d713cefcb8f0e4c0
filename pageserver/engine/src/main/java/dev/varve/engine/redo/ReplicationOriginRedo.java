package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * Progress of replication origins set outside a commit. Follows PostgreSQL 17 {@code
 * replorigin_redo} in {@code origin.c}.
 */
final class ReplicationOriginRedo extends BlocklessManager {
  private static final int SET = 0x00;
  private static final int DROP = 0x10;

  @Override
  public String name() {
    return "ReplicationOrigin";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case SET -> {
        long remoteLsn = in.i64();
        int origin = in.u16();
        in.skip(6); // whether it may go backwards, and padding
        in.end();
        effects.replicationOrigin(origin, remoteLsn, record.endLsn);
      }
      case DROP -> {
        int origin = in.u16();
        in.end();
        effects.dropReplicationOrigin(origin);
      }
      default -> throw unknown(record);
    }
  }
}
