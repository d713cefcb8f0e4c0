package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * Creation and removal of database directories. Follows PostgreSQL 17 {@code dbase_redo} in {@code
 * src/backend/commands/dbcommands.c}.
 */
final class DatabaseRedo extends BlocklessManager {
  private static final int CREATE_FILE_COPY = 0x00;
  private static final int CREATE_WAL_LOG = 0x10;
  private static final int DROP = 0x20;

  @Override
  public String name() {
    return "Database";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    int database = in.i32();
    switch (record.info) {
      case CREATE_FILE_COPY -> {
        int tablespace = in.i32();
        int sourceDatabase = in.i32();
        int sourceTablespace = in.i32();
        in.end();
        effects.copyDatabase(sourceDatabase, sourceTablespace, database, tablespace);
      }
      case CREATE_WAL_LOG -> {
        int tablespace = in.i32();
        in.end();
        effects.createDatabase(database, tablespace);
      }
      case DROP -> {
        int[] tablespaces = new int[in.countOf(4)];
        for (int i = 0; i < tablespaces.length; i++) {
          tablespaces[i] = in.i32();
        }
        in.end();
        effects.dropDatabase(database, tablespaces);
      }
      default -> throw unknown(record);
    }
  }
}
