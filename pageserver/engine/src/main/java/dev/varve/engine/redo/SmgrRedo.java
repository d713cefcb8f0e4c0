package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.wal.WalRecord;

/**
 * Creation and truncation of relation forks. A truncated heap's visibility and free space maps are
 * cut by formula, and the entries behind the cut on the page that stays last are cleared, which no
 * record names. Upper levels of the free space map stay as they are: PostgreSQL mends them as it
 * finds them wrong. Follows PostgreSQL 17 {@code smgr_redo} in {@code
 * src/backend/catalog/storage.c}.
 */
final class SmgrRedo extends BlocklessManager {
  private static final int CREATE = 0x10;
  private static final int TRUNCATE = 0x20;

  private static final int TRUNCATE_HEAP = 1;
  private static final int TRUNCATE_VM = 2;
  private static final int TRUNCATE_FSM = 4;

  @Override
  public String name() {
    return "Storage";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case CREATE -> {
        int tablespace = in.i32();
        int database = in.i32();
        int relation = in.i32();
        int fork = in.count(ForkNumber.COUNT - 1);
        in.end();
        effects.createRelation(tablespace, database, relation, fork);
      }
      case TRUNCATE -> {
        int blocks = in.i32();
        int tablespace = in.i32();
        int database = in.i32();
        int relation = in.i32();
        int flags = in.count(TRUNCATE_HEAP | TRUNCATE_VM | TRUNCATE_FSM);
        in.end();
        truncate(tablespace, database, relation, blocks, flags, effects);
      }
      default -> throw unknown(record);
    }
  }

  private static void truncate(
      int tablespace, int database, int relation, int blocks, int flags, ClusterEffects effects) {
    effects.createRelation(tablespace, database, relation, ForkNumber.MAIN);
    ByteWriter op = new ByteWriter(8);
    if ((flags & TRUNCATE_HEAP) != 0) {
      effects.truncateRelation(tablespace, database, relation, ForkNumber.MAIN, blocks);
    }
    if ((flags & TRUNCATE_FSM) != 0) {
      int pages = FreeSpaceMap.pagesFor(blocks);
      effects.truncateRelation(tablespace, database, relation, ForkNumber.FREE_SPACE_MAP, pages);
      int slot = FreeSpaceMap.slot(blocks);
      if (slot != 0) {
        DerivedOp.encodeFsmTruncate(slot, op);
        effects.deriveBlock(
            tablespace,
            database,
            relation,
            ForkNumber.FREE_SPACE_MAP,
            pages - 1,
            false,
            op.array(),
            0,
            op.length());
      }
    }
    if ((flags & TRUNCATE_VM) != 0) {
      int pages = VisibilityMap.pagesFor(blocks);
      effects.truncateRelation(tablespace, database, relation, ForkNumber.VISIBILITY_MAP, pages);
      if (VisibilityMap.entry(blocks) != 0) {
        op.reset();
        DerivedOp.encodeVmTruncate(blocks, op);
        effects.deriveBlock(
            tablespace,
            database,
            relation,
            ForkNumber.VISIBILITY_MAP,
            pages - 1,
            false,
            op.array(),
            0,
            op.length());
      }
    }
  }
}
