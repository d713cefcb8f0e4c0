package dev.varve.engine.postgres;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.u32;

import dev.varve.engine.PageserverException;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * {@code global/pg_control}: offsets, checking, and the file of a cluster that was shut down.
 * Follows PostgreSQL 17 and 18 {@code src/include/catalog/pg_control.h}.
 */
public final class ControlFile {
  /** {@code PG_CONTROL_FILE_SIZE}: the file is padded with zeros. */
  public static final int FILE_SIZE = 8192;

  public static final int SYSTEM_IDENTIFIER = 0;
  public static final int VERSION = 8;
  public static final int CATALOG_VERSION = 12;
  public static final int STATE = 16;
  public static final int TIME = 24;
  public static final int CHECK_POINT = 32;
  public static final int CHECK_POINT_COPY = 40;
  public static final int MIN_RECOVERY_POINT = 136;
  public static final int BACKUP_END_REQUIRED = 168;
  public static final int WAL_LEVEL = 172;
  public static final int WAL_LOG_HINTS = 176;
  public static final int MAX_CONNECTIONS = 180;
  public static final int MAX_WORKER_PROCESSES = 184;
  public static final int MAX_WAL_SENDERS = 188;
  public static final int MAX_PREPARED_XACTS = 192;
  public static final int MAX_LOCKS_PER_XACT = 196;
  public static final int TRACK_COMMIT_TIMESTAMP = 200;
  public static final int BLOCK_SIZE = 216;
  public static final int WAL_SEGMENT_SIZE = 228;
  public static final int DATA_CHECKSUM_VERSION = 252;

  /** {@code DB_SHUTDOWNED}. */
  public static final int SHUT_DOWN = 1;

  private ControlFile() {}

  /** Whether {@code wal_log_hints} is on. */
  public static boolean logsHints(byte[] file) {
    return file[WAL_LOG_HINTS] != 0;
  }

  /** Where the CRC stands; everything before it is covered and is all that is kept. */
  public static int keptBytes(PostgresMajor major) {
    return major.atLeast(PostgresMajor.V18) ? 292 : 288;
  }

  /**
   * Checks a control file as read from a backup.
   *
   * @throws PageserverException.Corrupt when its CRC, version or block size is not what this major
   *     has
   */
  public static void check(byte[] file, PostgresMajor major) {
    int kept = keptBytes(major);
    if (file.length < kept + 4 || u32(file, kept) != crc(file, kept)) {
      throw new PageserverException.Corrupt("pg_control: wrong CRC or length " + file.length);
    }
    if (i32(file, VERSION) != major.controlFileVersion()) {
      throw new PageserverException.Corrupt(
          "pg_control: version " + i32(file, VERSION) + " is not PostgreSQL " + major.number());
    }
    if (i32(file, BLOCK_SIZE) != Page.SIZE) {
      throw new PageserverException.InvalidRequest(
          "the cluster has blocks of " + i32(file, BLOCK_SIZE) + " bytes; only 8192 is supported");
    }
  }

  /**
   * The control file of a cluster that was shut down cleanly by the checkpoint at {@code
   * checkPointLsn}.
   *
   * @param kept the first {@link #keptBytes} bytes: identity and parameters
   * @param checkPoint the checkpoint's 88 bytes
   */
  public static byte[] shutDown(
      byte[] kept, PostgresMajor major, long checkPointLsn, byte[] checkPoint) {
    byte[] file = Arrays.copyOf(kept, FILE_SIZE);
    putI32(file, STATE, SHUT_DOWN);
    putI64(file, TIME, i64(checkPoint, CheckPoint.TIME));
    putI64(file, CHECK_POINT, checkPointLsn);
    System.arraycopy(checkPoint, 0, file, CHECK_POINT_COPY, CheckPoint.SIZE);
    // Minimum recovery point and its TLI, backup start, backup end, end required: none of them
    // holds after a shutdown.
    Arrays.fill(file, MIN_RECOVERY_POINT, BACKUP_END_REQUIRED + 1, (byte) 0);
    int end = keptBytes(major);
    Arrays.fill(file, end, file.length, (byte) 0);
    putI32(file, end, (int) crc(file, end));
    return file;
  }

  /** Whether data pages carry checksums. */
  public static boolean hasChecksums(byte[] kept) {
    return i32(kept, DATA_CHECKSUM_VERSION) != 0;
  }

  private static long crc(byte[] file, int length) {
    CRC32C crc = new CRC32C();
    crc.update(file, 0, length);
    return crc.getValue();
  }
}
