package dev.varve.bench;

import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.DerivedOp;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import java.util.Arrays;

/**
 * Replay as stock PostgreSQL does it, with the engine's decoder and redo: record by record, each
 * block's page looked up in memory and changed in place. Nothing is kept of the past, so it is no
 * pageserver; it says what decoding and redo cost without keeping. Not thread-safe.
 */
final class DirectReplay implements ClusterEffects {
  private static final int CHUNK = 128 << 10;

  private final ReplayedPages pages;
  private final RedoContext context;

  private DirectReplay(ReplayedPages pages, RedoContext context) {
    this.pages = pages;
    this.context = context;
  }

  /** Replays the whole load onto {@code pages}. */
  static Cost run(RecordedLoad load, ReplayedPages pages) {
    System.gc();
    Cost start = Cost.now();
    WalDecoder decoder = load.decoder();
    DirectReplay replay = new DirectReplay(pages, new RedoContext(load.identity().major(), false));
    WalRecord record = new WalRecord();
    int first = (int) (load.startLsn() - load.segmentLsn());
    for (int at = first; at < load.wal().length; at += CHUNK) {
      decoder.feed(load.segmentLsn() + at, load.wal(), at, Math.min(CHUNK, load.wal().length - at));
      while (decoder.next(record)) {
        replay.replay(record);
      }
    }
    return Cost.now().since(start);
  }

  private void replay(WalRecord record) {
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        byte[] page =
            pages.page(
                record.blockTablespace[id],
                record.blockDatabase[id],
                record.blockRelation[id],
                record.blockFork[id],
                record.blockNumber[id]);
        Redo.applyBlock(record, id, page, context);
      }
    }
    Redo.effects(record, context, this);
  }

  @Override
  public void deriveBlock(
      int tablespaceOid,
      int databaseOid,
      int relationNumber,
      int fork,
      int block,
      boolean extend,
      byte[] op,
      int offset,
      int length) {
    DerivedOp.apply(
        op, offset, length, pages.page(tablespaceOid, databaseOid, relationNumber, fork, block));
  }

  @Override
  public void zeroSlruPage(int slru, int page) {
    Arrays.fill(pages.slruPage(slru, page), (byte) 0);
  }

  @Override
  public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
    DerivedOp.apply(op, offset, length, pages.slruPage(slru, page));
  }

  @Override
  public void truncateRelation(
      int tablespaceOid, int databaseOid, int relationNumber, int fork, int blocks) {
    pages.truncate(tablespaceOid, databaseOid, relationNumber, fork, blocks);
  }

  @Override
  public void dropRelation(int tablespaceOid, int databaseOid, int relationNumber) {
    for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
      pages.truncate(tablespaceOid, databaseOid, relationNumber, fork, 0);
    }
  }

  @Override
  public void copyDatabase(
      int sourceDatabaseOid, int sourceTablespaceOid, int databaseOid, int tablespaceOid) {
    throw new IllegalStateException("a load that copies databases");
  }

  @Override
  public boolean tracksCommitTimestamps() {
    return false;
  }

  // Counters and files: nothing that takes time.

  @Override
  public void createRelation(int tablespaceOid, int databaseOid, int relationNumber, int fork) {}

  @Override
  public void createDatabase(int databaseOid, int tablespaceOid) {}

  @Override
  public void dropDatabase(int databaseOid, int[] tablespaceOids) {}

  @Override
  public void createTablespace(int tablespaceOid, String location) {}

  @Override
  public void dropTablespace(int tablespaceOid) {}

  @Override
  public void relationMap(
      int databaseOid, int tablespaceOid, byte[] bytes, int offset, int length) {}

  @Override
  public void truncateSlru(int slru, int firstPage) {}

  @Override
  public void prepareTransaction(int xid, byte[] bytes, int offset, int length) {}

  @Override
  public void forgetPrepared(int xid) {}

  @Override
  public void advanceNextXid(int xid) {}

  @Override
  public void nextOid(int oid) {}

  @Override
  public void advanceNextMulti(int nextMulti, int nextMultiOffset) {}

  @Override
  public void checkpoint(boolean shutdown, byte[] bytes, int offset) {}

  @Override
  public void oldestXid(int oldestXid, int oldestXidDatabase) {}

  @Override
  public void oldestMulti(int oldestMulti, int oldestMultiDatabase) {}

  @Override
  public void oldestCommitTsXid(int xid) {}

  @Override
  public void newestCommitTsXid(int xid) {}

  @Override
  public void parameterChange(byte[] bytes, int offset, int length) {}

  @Override
  public void replicationOrigin(int originId, long remoteLsn, long localLsn) {}

  @Override
  public void dropReplicationOrigin(int originId) {}

  @Override
  public void backupEnd(long startLsn) {}

  @Override
  public void timelineSwitch(int newTli, int previousTli) {}

  @Override
  public void commitTime(long microsSince2000) {}
}
