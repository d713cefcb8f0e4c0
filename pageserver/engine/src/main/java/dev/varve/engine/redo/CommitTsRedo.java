package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * New and dropped pages of {@code pg_commit_ts}. Follows PostgreSQL 17 {@code commit_ts_redo} in
 * {@code commit_ts.c}.
 */
final class CommitTsRedo extends BlocklessManager {
  private static final int ZEROPAGE = 0x00;
  private static final int TRUNCATE = 0x10;

  @Override
  public String name() {
    return "CommitTs";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case ZEROPAGE -> SlruRecord.zeroPage(in, ClusterEffects.COMMIT_TS, context, effects);
      case TRUNCATE -> {
        int page = SlruRecord.page(in, context);
        int oldestXid = in.i32();
        in.end();
        effects.oldestCommitTsXid(oldestXid);
        effects.truncateSlru(ClusterEffects.COMMIT_TS, page);
      }
      default -> throw unknown(record);
    }
  }
}
