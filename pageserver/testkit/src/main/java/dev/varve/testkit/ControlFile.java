package dev.varve.testkit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * {@code pg_control}, by the names of PostgreSQL's structs {@code ControlFileData} and {@code
 * CheckPoint} (PostgreSQL 17 src/include/catalog/pg_control.h; the offsets are the same in 15 to
 * 18, but for what 18 adds at the end).
 */
public final class ControlFile {
  /** Where {@code checkPointCopy} begins, and its length. */
  static final int CHECKPOINT = 40;

  static final int CHECKPOINT_BYTES = 88;

  private static final int NONCE_BYTES = 32;

  /** A field of four or eight bytes, or of one. */
  public enum Field {
    SYSTEM_IDENTIFIER("system_identifier", 0, 8),
    PG_CONTROL_VERSION("pg_control_version", 8, 4),
    CATALOG_VERSION("catalog_version_no", 12, 4),
    STATE("state", 16, 4),
    TIME("time", 24, 8),
    CHECKPOINT_LSN("checkPoint", 32, 8),
    REDO("redo", 40, 8),
    THIS_TLI("ThisTimeLineID", 48, 4),
    PREV_TLI("PrevTimeLineID", 52, 4),
    FULL_PAGE_WRITES("fullPageWrites", 56, 1),
    NEXT_XID("nextXid", 64, 8),
    NEXT_OID("nextOid", 72, 4),
    NEXT_MULTI("nextMulti", 76, 4),
    NEXT_MULTI_OFFSET("nextMultiOffset", 80, 4),
    OLDEST_XID("oldestXid", 84, 4),
    OLDEST_XID_DB("oldestXidDB", 88, 4),
    OLDEST_MULTI("oldestMulti", 92, 4),
    OLDEST_MULTI_DB("oldestMultiDB", 96, 4),
    CHECKPOINT_TIME("checkPointCopy.time", 104, 8),
    OLDEST_COMMIT_TS_XID("oldestCommitTsXid", 112, 4),
    NEWEST_COMMIT_TS_XID("newestCommitTsXid", 116, 4),
    OLDEST_ACTIVE_XID("oldestActiveXid", 120, 4),
    UNLOGGED_LSN("unloggedLSN", 128, 8),
    MIN_RECOVERY_POINT("minRecoveryPoint", 136, 8),
    MIN_RECOVERY_POINT_TLI("minRecoveryPointTLI", 144, 4),
    BACKUP_START_POINT("backupStartPoint", 152, 8),
    BACKUP_END_POINT("backupEndPoint", 160, 8),
    BACKUP_END_REQUIRED("backupEndRequired", 168, 1),
    WAL_LEVEL("wal_level", 172, 4),
    WAL_LOG_HINTS("wal_log_hints", 176, 1),
    MAX_CONNECTIONS("MaxConnections", 180, 4),
    MAX_WORKER_PROCESSES("max_worker_processes", 184, 4),
    MAX_WAL_SENDERS("max_wal_senders", 188, 4),
    MAX_PREPARED_XACTS("max_prepared_xacts", 192, 4),
    MAX_LOCKS_PER_XACT("max_locks_per_xact", 196, 4),
    TRACK_COMMIT_TIMESTAMP("track_commit_timestamp", 200, 1),
    MAX_ALIGN("maxAlign", 204, 4),
    FLOAT_FORMAT("floatFormat", 208, 8),
    BLCKSZ("blcksz", 216, 4),
    RELSEG_SIZE("relseg_size", 220, 4),
    XLOG_BLCKSZ("xlog_blcksz", 224, 4),
    XLOG_SEG_SIZE("xlog_seg_size", 228, 4),
    NAME_DATA_LEN("nameDataLen", 232, 4),
    INDEX_MAX_KEYS("indexMaxKeys", 236, 4),
    TOAST_MAX_CHUNK_SIZE("toast_max_chunk_size", 240, 4),
    LOBLKSIZE("loblksize", 244, 4),
    FLOAT8_BY_VAL("float8ByVal", 248, 1),
    DATA_CHECKSUM_VERSION("data_checksum_version", 252, 4);

    private final String postgresName;
    private final int offset;
    private final int bytes;

    Field(String postgresName, int offset, int bytes) {
      this.postgresName = postgresName;
      this.offset = offset;
      this.bytes = bytes;
    }
  }

  private final Path path;
  private final boolean charSignedness;
  private final ByteBuffer content;

  private ControlFile(Path path, int major, byte[] bytes) {
    this.path = path;
    this.charSignedness = major >= 18;
    this.content = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Reads that of a data directory. */
  public static ControlFile of(int major, Path dataDirectory) throws IOException {
    Path path = dataDirectory.resolve("global/pg_control");
    return new ControlFile(path, major, Files.readAllBytes(path));
  }

  public long get(Field field) {
    return switch (field.bytes) {
      case 1 -> content.get(field.offset);
      case 4 -> Integer.toUnsignedLong(content.getInt(field.offset));
      default -> content.getLong(field.offset);
    };
  }

  void set(Field field, long value) {
    if (field.bytes == 4) {
      content.putInt(field.offset, (int) value);
    } else if (field.bytes == 8) {
      content.putLong(field.offset, value);
    } else {
      content.put(field.offset, (byte) value);
    }
  }

  /** {@code checkPointCopy} as it is in the checkpoint's record. */
  byte[] checkpoint() {
    return Arrays.copyOfRange(content.array(), CHECKPOINT, CHECKPOINT + CHECKPOINT_BYTES);
  }

  /** Every field by PostgreSQL's name, and the nonce. */
  public Map<String, String> values() {
    Map<String, String> values = new LinkedHashMap<>();
    for (Field field : Field.values()) {
      values.put(field.postgresName, Long.toUnsignedString(get(field)));
    }
    int at = Field.DATA_CHECKSUM_VERSION.offset + 4;
    if (charSignedness) {
      values.put("default_char_signedness", Byte.toString(content.get(at)));
      at++;
    }
    values.put(
        "mock_authentication_nonce",
        HexFormat.of().formatHex(content.array(), at, at + NONCE_BYTES));
    return values;
  }

  /** Writes it back with its checksum. */
  void write() throws IOException {
    int end = Field.DATA_CHECKSUM_VERSION.offset + 4 + NONCE_BYTES + (charSignedness ? 4 : 0);
    CRC32C crc = new CRC32C();
    crc.update(content.array(), 0, end);
    content.putInt(end, (int) crc.getValue());
    Files.write(path, content.array());
  }
}
