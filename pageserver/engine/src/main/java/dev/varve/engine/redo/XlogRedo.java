package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;

/**
 * The WAL's own records: checkpoints, counters, settings, and full-page images. Follows PostgreSQL
 * 17 {@code xlog_redo} and {@code xlogrecovery_redo} in {@code src/backend/access/transam}.
 */
final class XlogRedo implements ResourceManager {
  private static final int CHECKPOINT_SHUTDOWN = 0x00;
  private static final int CHECKPOINT_ONLINE = 0x10;
  private static final int NOOP = 0x20;
  private static final int NEXTOID = 0x30;
  private static final int SWITCH = 0x40;
  private static final int BACKUP_END = 0x50;
  private static final int PARAMETER_CHANGE = 0x60;
  private static final int RESTORE_POINT = 0x70;
  private static final int FPW_CHANGE = 0x80;
  private static final int END_OF_RECOVERY = 0x90;
  private static final int FPI_FOR_HINT = 0xA0;
  private static final int FPI = 0xB0;
  private static final int OVERWRITE_CONTRECORD = 0xD0;
  private static final int CHECKPOINT_REDO = 0xE0;

  /** {@code sizeof(CheckPoint)}. */
  private static final int CHECKPOINT_SIZE = 88;

  private static final int PARAMETER_CHANGE_SIZE = 28;
  private static final int RESTORE_POINT_SIZE = 72;

  @Override
  public String name() {
    return "XLOG";
  }

  /**
   * Called only for blocks without an image that applies: a hint needs none when full-page writes
   * are off.
   */
  @Override
  public boolean redo(WalRecord record, int blockId, byte[] page, RedoContext context) {
    if (record.info != FPI_FOR_HINT) {
      throw new RedoException("there is no full-page image");
    }
    return false;
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in =
        ByteReader.ofBeginning("main data", record.bytes, record.mainOffset, record.mainLength);
    switch (record.info) {
      case CHECKPOINT_SHUTDOWN, CHECKPOINT_ONLINE -> {
        int at = in.skip(CHECKPOINT_SIZE);
        in.end();
        checkpoint(record.info == CHECKPOINT_SHUTDOWN, record.bytes, at, effects);
      }
      case NEXTOID -> {
        int oid = in.i32();
        in.end();
        effects.nextOid(oid);
      }
      case BACKUP_END -> {
        long startLsn = in.i64();
        in.end();
        effects.backupEnd(startLsn);
      }
      case PARAMETER_CHANGE -> {
        int at = in.skip(PARAMETER_CHANGE_SIZE);
        in.end();
        effects.parameterChange(record.bytes, at, PARAMETER_CHANGE_SIZE);
      }
      case END_OF_RECOVERY -> {
        in.skip(8); // time
        int tli = in.i32();
        int previousTli = in.i32();
        in.skip(context.major().atLeast(PostgresMajor.V17) ? 8 : 0); // wal_level and padding
        in.end();
        effects.timelineSwitch(tli, previousTli);
      }
      case CHECKPOINT_REDO -> {
        if (!context.major().atLeast(PostgresMajor.V17)) {
          throw BlocklessManager.unknown(record);
        }
        in.skip(4); // wal_level
        in.end();
      }
      case RESTORE_POINT -> {
        in.skip(RESTORE_POINT_SIZE);
        in.end();
      }
      case FPW_CHANGE -> {
        in.u8();
        in.end();
      }
      case OVERWRITE_CONTRECORD -> {
        in.skip(16); // the overwritten record's LSN, which the decoder checked, and the time
        in.end();
      }
      case NOOP, SWITCH, FPI, FPI_FOR_HINT -> {
        // Nothing beyond their blocks.
      }
      default -> throw BlocklessManager.unknown(record);
    }
  }

  private static void checkpoint(boolean shutdown, byte[] bytes, int at, ClusterEffects effects) {
    ByteReader in = new ByteReader("checkpoint", bytes, at + 8, 8);
    int tli = in.i32();
    int previousTli = in.i32();
    if (shutdown && tli != previousTli) {
      effects.timelineSwitch(tli, previousTli);
    }
    effects.checkpoint(shutdown, bytes, at);
  }
}
