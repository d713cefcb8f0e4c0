package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;
import java.nio.charset.StandardCharsets;

/**
 * Creation and removal of tablespaces. Follows PostgreSQL 17 {@code tblspc_redo} in {@code
 * src/backend/commands/tablespace.c}.
 */
final class TablespaceRedo extends BlocklessManager {
  private static final int CREATE = 0x00;
  private static final int DROP = 0x10;

  @Override
  public String name() {
    return "Tablespace";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    int tablespace = in.i32();
    switch (record.info) {
      case CREATE -> {
        byte[] path = in.bytes(Math.max(0, in.remaining() - 1));
        if (in.u8() != 0) {
          throw new RedoException(
              "the location of tablespace "
                  + Integer.toUnsignedString(tablespace)
                  + " does not end");
        }
        effects.createTablespace(tablespace, new String(path, StandardCharsets.UTF_8));
      }
      case DROP -> {
        in.end();
        effects.dropTablespace(tablespace);
      }
      default -> throw unknown(record);
    }
  }
}
