package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.wal.WalRecord;

/**
 * Messages for logical decoding: nothing to redo. Follows PostgreSQL 17 {@code logicalmsg_redo} in
 * {@code message.c}.
 */
final class LogicalMessageRedo extends BlocklessManager {
  private static final int MESSAGE = 0x00;

  @Override
  public String name() {
    return "LogicalMessage";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    if (record.info != MESSAGE) {
      throw unknown(record);
    }
    ByteReader in = main(record);
    in.skip(8); // database, whether it is part of the transaction
    long prefixLength = in.i64();
    long messageLength = in.i64();
    if (prefixLength < 0
        || messageLength < 0
        || prefixLength > in.remaining()
        || messageLength != in.remaining() - prefixLength) {
      throw new RedoException(
          "a message of "
              + prefixLength
              + " + "
              + messageLength
              + " in "
              + in.remaining()
              + " bytes");
    }
  }
}
