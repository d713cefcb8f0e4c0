package dev.varve.engine.image;

import static dev.varve.engine.bytes.LittleEndian.putI32;

import java.util.zip.CRC32C;

/**
 * A WAL summary that says of the range before an image's LSN that no block changed in it. The
 * summarizer of PostgreSQL goes on at the end of the newest summary that there is; without one it
 * begins with the oldest WAL segment, of which an image has nothing before its own checkpoint.
 *
 * <p>The range is that of the last record alone. A backup that an incremental one builds on starts
 * at a checkpoint's redo point: one before the range finds that summaries are missing, and one at
 * its start is a record that touches no block, so that the summary is true for whoever may use it.
 * Follows PostgreSQL 17 {@code WriteBlockRefTable} in {@code src/common/blkreftable.c} and {@code
 * GetOldestUnsummarizedLSN} in {@code src/backend/postmaster/walsummarizer.c}.
 */
final class WalSummary {
  /** {@code BLOCKREFTABLE_MAGIC}. */
  private static final int MAGIC = 0x652B137B;

  /** {@code BlockRefTableSerializedEntry}: one of zeros is the end. */
  private static final int ENTRY_BYTES = 24;

  private WalSummary() {}

  /** The file's name below {@code pg_wal/summaries}. */
  static String name(int tli, long startLsn, long endLsn) {
    return "%08X%08X%08X%08X%08X.summary"
        .formatted(
            tli, (int) (startLsn >>> 32), (int) startLsn, (int) (endLsn >>> 32), (int) endLsn);
  }

  /** A summary without blocks. */
  static byte[] empty() {
    byte[] file = new byte[4 + ENTRY_BYTES + 4];
    putI32(file, 0, MAGIC);
    CRC32C crc = new CRC32C();
    crc.update(file, 0, 4 + ENTRY_BYTES);
    putI32(file, 4 + ENTRY_BYTES, (int) crc.getValue());
    return file;
  }
}
