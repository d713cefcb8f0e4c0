package dev.varve.testkit;

import dev.varve.testkit.ControlFile.Field;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * What {@code pg_resetwal} does to a cluster that was shut down: other counters, and a new log that
 * begins with a shutdown checkpoint which has them (PostgreSQL 17 src/bin/pg_resetwal). The program
 * itself is not among the binaries. A counter that does not begin a page of its SLRU wants that
 * page to be there.
 */
public final class ClusterReset {
  private static final int PAGE_BYTES = 8192;
  private static final int LONG_HEADER_BYTES = 40;
  private static final int RECORD_HEADER_BYTES = 24;
  private static final int RECORD_CRC = 20;
  private static final int XLP_LONG_HEADER = 2;

  /** The block id that says: up to 255 bytes of the record's own data follow. */
  private static final int BLOCK_ID_DATA_SHORT = 255;

  private ClusterReset() {}

  /**
   * Changes counters of a server that is stopped.
   *
   * @param counters fields of the checkpoint, or {@code XLOG_SEG_SIZE}
   */
  public static void run(PostgresServer stopped, Map<Field, Long> counters) throws IOException {
    Path data = stopped.dataDirectory();
    ControlFile control = ControlFile.of(stopped.major(), data);
    if (control.get(Field.STATE) != 1) {
      throw new IOException("the cluster was not shut down cleanly");
    }
    long end = control.get(Field.CHECKPOINT_LSN);
    counters.forEach(control::set);
    int segment = (int) control.get(Field.XLOG_SEG_SIZE);
    byte[] magic = emptyLog(data.resolve("pg_wal"));
    // Behind everything that there was, in segments of the old size or the new one.
    long start = ((end >>> 26) + 1) << 26;
    start = start + segment - 1 & -segment;
    control.set(Field.REDO, start + LONG_HEADER_BYTES);
    control.set(Field.CHECKPOINT_LSN, start + LONG_HEADER_BYTES);
    control.write();

    ByteBuffer page = ByteBuffer.allocate(PAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    page.put(magic);
    page.putShort((short) XLP_LONG_HEADER);
    page.putInt((int) control.get(Field.THIS_TLI));
    page.putLong(start);
    page.putInt(0);
    page.putInt(0);
    page.putLong(control.get(Field.SYSTEM_IDENTIFIER));
    page.putInt(segment);
    page.putInt(PAGE_BYTES);
    page.put(checkpointRecord(control.checkpoint()));
    long number = Long.divideUnsigned(start, segment);
    long perId = 0x1_0000_0000L / segment;
    Path file =
        data.resolve("pg_wal")
            .resolve(
                String.format(
                    Locale.ROOT,
                    "%08X%08X%08X",
                    control.get(Field.THIS_TLI),
                    number / perId,
                    number % perId));
    try (var channel =
        java.nio.channels.FileChannel.open(
            file,
            java.nio.file.StandardOpenOption.CREATE_NEW,
            java.nio.file.StandardOpenOption.WRITE)) {
      page.clear();
      channel.write(page, 0);
      channel.write(ByteBuffer.allocate(1), segment - 1L);
    }
    PostgresServer.own(file);
  }

  private static byte[] checkpointRecord(byte[] checkpoint) {
    int length = RECORD_HEADER_BYTES + 2 + checkpoint.length;
    ByteBuffer record = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    record.putInt(length); // xl_xid, xl_prev, xl_info and xl_rmid are zero
    record.position(RECORD_HEADER_BYTES);
    record.put((byte) BLOCK_ID_DATA_SHORT);
    record.put((byte) checkpoint.length);
    record.put(checkpoint);
    CRC32C crc = new CRC32C();
    crc.update(record.array(), RECORD_HEADER_BYTES, length - RECORD_HEADER_BYTES);
    crc.update(record.array(), 0, RECORD_CRC);
    record.putInt(RECORD_CRC, (int) crc.getValue());
    return record.array();
  }

  /** Removes all segments; the two bytes that begin each page in this major. */
  private static byte[] emptyLog(Path log) throws IOException {
    byte[] magic = new byte[0];
    try (DirectoryStream<Path> segments = Files.newDirectoryStream(log, "*[0-9A-F]")) {
      for (Path segment : segments) {
        if (Files.isRegularFile(segment)) {
          try (var in = Files.newInputStream(segment)) {
            byte[] first = in.readNBytes(2);
            magic = first.length == 2 && first[1] != 0 ? first : magic;
          }
          Files.delete(segment);
        }
      }
    }
    if (magic.length == 0) {
      throw new IOException("no segment in " + log);
    }
    return magic;
  }
}
