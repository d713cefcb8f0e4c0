package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;

/**
 * The header of a WAL page, checked against what the page must be; reused for one page after
 * another by {@link WalDecoder}.
 *
 * <pre>
 * short := magic u16, info u16, tli u32, pageaddr u64, rem_len u32, pad u32                     24 bytes
 * long  := short, sysid u64, seg_size u32, xlog_blcksz u32                                      40 bytes, a segment's first page
 * </pre>
 *
 * <p>Follows PostgreSQL 17 {@code src/include/access/xlog_internal.h}.
 */
final class WalPageHeader {
  static final int SHORT_SIZE = 24;
  static final int LONG_SIZE = 40;

  /** {@code XLP_FIRST_IS_CONTRECORD}. */
  static final int CONTINUES_RECORD = 0x1;

  /** {@code XLP_LONG_HEADER}. */
  static final int LONG_HEADER = 0x2;

  /** {@code XLP_FIRST_IS_OVERWRITE_CONTRECORD}. */
  static final int OVERWRITES_RECORD = 0x8;

  /** {@code XLP_ALL_FLAGS}. */
  private static final int ALL_FLAGS = 0xF;

  private final PostgresMajor major;
  private final int segmentSize;
  private final long systemIdentifier;

  private long pageLsn;
  private int info;
  private int tli;
  private int continuedLength;

  WalPageHeader(PostgresMajor major, int segmentSize, long systemIdentifier) {
    this.major = major;
    this.segmentSize = segmentSize;
    this.systemIdentifier = systemIdentifier;
  }

  /** Bytes of the header of the page at {@code pageLsn}. */
  static int size(long pageLsn, int segmentSize) {
    return (pageLsn & (segmentSize - 1)) == 0 ? LONG_SIZE : SHORT_SIZE;
  }

  long pageLsn() {
    return pageLsn;
  }

  boolean continuesRecord() {
    return (info & CONTINUES_RECORD) != 0;
  }

  boolean overwritesRecord() {
    return (info & OVERWRITES_RECORD) != 0;
  }

  /**
   * {@code xlp_rem_len}: bytes that the continued record still has from this page on; not yet
   * checked.
   */
  int continuedLength() {
    return continuedLength;
  }

  int tli() {
    return tli;
  }

  void forgetTli() {
    tli = 0;
  }

  /** Reads and checks the header of the page at {@code expectedLsn}; all its bytes are there. */
  void read(byte[] bytes, int offset, long expectedLsn) {
    pageLsn = expectedLsn;
    int magic = u16(bytes, offset);
    if (magic != major.walPageMagic()) {
      throw corrupt(
          String.format(
              "page magic %04X, PostgreSQL %d writes %04X",
              magic, major.number(), major.walPageMagic()));
    }
    info = u16(bytes, offset + 2);
    if ((info & ~ALL_FLAGS) != 0) {
      throw corrupt("page flags 0x" + Integer.toHexString(info));
    }
    long address = i64(bytes, offset + 8);
    if (address != expectedLsn) {
      throw corrupt("the page says it is at " + Lsn.format(address));
    }
    boolean isLong = size(expectedLsn, segmentSize) == LONG_SIZE;
    if (((info & LONG_HEADER) != 0) != isLong) {
      throw corrupt(
          isLong
              ? "a segment begins with a short page header"
              : "a long page header within a segment");
    }
    int pageTli = i32(bytes, offset + 4);
    if (Integer.compareUnsigned(pageTli, tli) < 0 || pageTli == 0) {
      throw corrupt(
          "timeline "
              + Integer.toUnsignedString(pageTli)
              + " after timeline "
              + Integer.toUnsignedString(tli));
    }
    tli = pageTli;
    continuedLength = i32(bytes, offset + 16);
    if (isLong) {
      readLong(bytes, offset);
    }
  }

  private void readLong(byte[] bytes, int offset) {
    long identifier = i64(bytes, offset + 24);
    if (systemIdentifier != 0 && identifier != systemIdentifier) {
      throw corrupt(
          "the WAL is of system "
              + Long.toUnsignedString(identifier)
              + ", this cluster is "
              + Long.toUnsignedString(systemIdentifier));
    }
    int size = i32(bytes, offset + 32);
    if (size != segmentSize) {
      throw corrupt(
          "segments of "
              + Integer.toUnsignedString(size)
              + " instead of "
              + segmentSize
              + " bytes");
    }
    int pageSize = i32(bytes, offset + 36);
    if (pageSize != WalDecoder.PAGE_SIZE) {
      throw corrupt("WAL pages of " + Integer.toUnsignedString(pageSize) + " bytes");
    }
  }

  private PageserverException.Corrupt corrupt(String reason) {
    return new PageserverException.Corrupt("WAL at " + Lsn.format(pageLsn) + ": " + reason);
  }
}
