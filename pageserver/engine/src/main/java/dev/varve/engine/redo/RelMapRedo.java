package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * The relation maps of mapped catalogs. Follows PostgreSQL 17 {@code relmap_redo} in {@code
 * src/backend/utils/cache/relmapper.c}.
 */
final class RelMapRedo extends BlocklessManager {
  private static final int UPDATE = 0x00;

  @Override
  public String name() {
    return "RelMap";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    if (record.info != UPDATE) {
      throw unknown(record);
    }
    ByteReader in = main(record);
    int database = in.i32();
    int tablespace = in.i32();
    int length = in.i32();
    int expected = context.major().atLeast(PostgresMajor.V16) ? 524 : 512;
    if (length != expected) {
      throw new RedoException(
          "a relation map of "
              + length
              + " bytes; PostgreSQL "
              + context.major().number()
              + " has "
              + expected);
    }
    int at = in.skip(length);
    in.end();
    effects.relationMap(database, tablespace, record.bytes, at, length);
  }
}
