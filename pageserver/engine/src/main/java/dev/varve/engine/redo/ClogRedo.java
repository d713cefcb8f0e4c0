package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * New and dropped pages of {@code pg_xact}. Follows PostgreSQL 17 {@code clog_redo} in {@code
 * src/backend/access/transam/clog.c}.
 */
final class ClogRedo extends BlocklessManager {
  private static final int ZEROPAGE = 0x00;
  private static final int TRUNCATE = 0x10;

  @Override
  public String name() {
    return "CLOG";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case ZEROPAGE -> SlruRecord.zeroPage(in, ClusterEffects.PG_XACT, context, effects);
      case TRUNCATE -> {
        int page = SlruRecord.page(in, context);
        int oldestXid = in.i32();
        int database = in.i32();
        in.end();
        effects.oldestXid(oldestXid, database);
        effects.truncateSlru(ClusterEffects.PG_XACT, page);
      }
      default -> throw unknown(record);
    }
  }
}
