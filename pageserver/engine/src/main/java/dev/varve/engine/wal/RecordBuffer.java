package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.bytes.Crc32c;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Puts a record that does not lie on one page together. The buffer grows as bytes arrive and not by
 * what a length field claims. Of a record longer than {@link #LONG_RECORD_LENGTH} it has the
 * beginning, which holds all that belongs to its blocks; the rest of the main data is checked and,
 * when it says what a transaction did ({@code RM_XACT_ID}), spooled. All other types of records
 * that can be so long, messages, invalidations, locks and rows for logical decoding, say at their
 * beginning what redo needs. Owned by a decoder.
 */
final class RecordBuffer {
  /** A record beyond this is not held in memory whole. */
  static final int LONG_RECORD_LENGTH = 8 << 20;

  /**
   * What there is of a long record: more than a header, the headers of 33 blocks, and their images
   * and data, each below 64 KiB, can take.
   */
  private static final int LONG_RECORD_KEPT = 5 << 20;

  private static final int FIRST_BYTES = 2 * WalDecoder.PAGE_SIZE;

  /** An array that an extraordinary record made larger than this is not kept for the next. */
  private static final int KEPT_BYTES = 1 << 20;

  /** {@code XLOG_XACT_OPMASK}; of the types of its records those from 0x50 on are not redone. */
  private static final int XACT_OPCODE_MASK = 0x70;

  private static final int XACT_ASSIGNMENT = 0x50;

  private final Crc32c crc = new Crc32c();
  private final @Nullable RecordSpool spool;
  private byte[] bytes = new byte[FIRST_BYTES];
  private int length;
  private int recordLength;
  private boolean isLong;
  private boolean isSpooled;

  RecordBuffer(@Nullable RecordSpool spool) {
    this.spool = spool;
  }

  /** Begins another record; what there is of one is given up. */
  void begin() {
    length = 0;
    recordLength = 0;
    isLong = false;
    isSpooled = false;
    if (bytes.length > KEPT_BYTES) {
      bytes = new byte[FIRST_BYTES];
    }
  }

  /** How much of the record has come. */
  int length() {
    return length;
  }

  /** The record's beginning; of one that is not long all that has come. */
  byte[] bytes() {
    return bytes;
  }

  /** Its length is known now: nothing but that has come. */
  void expect(int total) {
    recordLength = total;
  }

  /** Takes the next bytes of the record. */
  void append(byte[] source, int offset, int count) {
    int kept = count;
    if (isLong) {
      crc.update(source, offset, count);
      if (isSpooled) {
        Objects.requireNonNull(spool).append(source, offset, count);
      }
      kept = Math.clamp(LONG_RECORD_KEPT - length, 0, count);
    }
    if (kept > 0) {
      ensure(length + kept);
      System.arraycopy(source, offset, bytes, length, kept);
    }
    length += count;
  }

  /** The header, which was checked, is there, and what came with it. */
  void headerChecked() {
    if (recordLength <= LONG_RECORD_LENGTH) {
      return;
    }
    isLong = true;
    bytes = Arrays.copyOf(bytes, LONG_RECORD_KEPT);
    crc.begin();
    crc.update(bytes, RecordParser.HEADER_SIZE, length - RecordParser.HEADER_SIZE);
    isSpooled =
        spool != null
            && u8(bytes, RecordParser.RMID) == WalRecord.RMGR_XACT
            && (u8(bytes, RecordParser.INFO) & XACT_OPCODE_MASK) < XACT_ASSIGNMENT;
    if (isSpooled) {
      RecordSpool whole = Objects.requireNonNull(spool);
      whole.begin();
      whole.append(bytes, 0, length);
    }
  }

  /** The checksum of the whole record. */
  int checksum() {
    if (!isLong) {
      int body = RecordParser.HEADER_SIZE;
      return crc.of(bytes, body, recordLength - body, 0, RecordParser.CRC);
    }
    crc.update(bytes, 0, RecordParser.CRC);
    return crc.value();
  }

  /** Says in {@code record}, which was parsed from here, what is not here, and where it is. */
  void complete(WalRecord record) {
    if (isLong) {
      int kept = Math.clamp(LONG_RECORD_KEPT - record.mainOffset, 0, record.mainLength);
      record.mainMissing = record.mainLength - kept;
      record.spooled = isSpooled ? Objects.requireNonNull(spool).contents() : null;
    }
  }

  private void ensure(int needed) {
    if (needed > bytes.length) {
      long grown = Math.max(needed, 2L * bytes.length);
      bytes = Arrays.copyOf(bytes, (int) Math.min(grown, Math.max(needed, recordLength)));
    }
  }
}
