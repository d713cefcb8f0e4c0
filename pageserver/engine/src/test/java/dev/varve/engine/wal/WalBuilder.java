package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.postgres.PostgresMajor;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes WAL as PostgreSQL would, for tests: records laid over pages and segments with headers,
 * checksums and the chain of predecessors.
 */
public final class WalBuilder {
  /** What was written: the record's bytes, its ends, and where its successor is looked for. */
  public record Written(byte[] bytes, long startLsn, long endLsn, long nextLsn, long prevLsn) {}

  public static final long SYSTEM_IDENTIFIER = 0x6543_2100_1234_5678L;

  private final PostgresMajor major;
  private final int segmentSize;
  private final long baseLsn;
  private final ByteWriter out = new ByteWriter(1 << 16);
  private final List<Written> written = new ArrayList<>();
  private long prevLsn;
  private int tli = 1;

  /**
   * @param baseLsn where the WAL begins: a page's start
   */
  public WalBuilder(PostgresMajor major, int segmentSize, long baseLsn) {
    this.major = major;
    this.segmentSize = segmentSize;
    this.baseLsn = baseLsn;
  }

  public WalBuilder tli(int newTli) {
    tli = newTli;
    return this;
  }

  public long baseLsn() {
    return baseLsn;
  }

  public long lsn() {
    return baseLsn + out.length();
  }

  public List<Written> written() {
    return written;
  }

  public byte[] wal() {
    return out.toByteArray();
  }

  /** A record of everything behind the fixed header: block headers, data, main data. */
  public static byte[] record(int rmid, int info, int xid, byte[] body) {
    byte[] record = new byte[RecordParser.HEADER_SIZE + body.length];
    putI32(record, RecordParser.TOTAL_LENGTH, record.length);
    putI32(record, RecordParser.XID, xid);
    record[RecordParser.INFO] = (byte) info;
    record[RecordParser.RMID] = (byte) rmid;
    System.arraycopy(body, 0, record, RecordParser.HEADER_SIZE, body.length);
    return record;
  }

  /** Main data alone, with its header. */
  public static byte[] main(byte[] main) {
    ByteWriter body = new ByteWriter();
    if (main.length > 255) {
      body.u8(254);
      body.i32(main.length);
    } else if (main.length > 0) {
      body.u8(255);
      body.u8(main.length);
    }
    body.bytes(main);
    return body.toByteArray();
  }

  /** Completes and appends a record. */
  public Written append(byte[] record) {
    seal(record, prevLsn);
    pageHeaderIfDue(0, false);
    long startLsn = lsn();
    place(record, 0, record.length);
    align();
    long endLsn = lsn();
    if (record[RecordParser.RMID] == 0 && (record[RecordParser.INFO] & 0xF0) == 0x40) {
      out.zeros((int) (-endLsn & (segmentSize - 1)));
    }
    Written result = new Written(record, startLsn, endLsn, lsn(), prevLsn);
    written.add(result);
    prevLsn = startLsn;
    return result;
  }

  /**
   * Leaves a record unfinished at the end of its first page, as a crash does; its rest is
   * overwritten on the next page.
   */
  public Written appendOverwritten(byte[] lost) {
    seal(lost, prevLsn);
    pageHeaderIfDue(0, false);
    long lostLsn = lsn();
    int room = (int) (-lostLsn & (WalDecoder.PAGE_SIZE - 1));
    if (room >= lost.length) {
      throw new IllegalArgumentException("the record fits its page");
    }
    out.bytes(lost, 0, room);
    pageHeaderIfDue(0, true);
    byte[] main = new byte[16];
    putI64(main, 0, lostLsn);
    return append(record(0, 0xD0, 0, main(main)));
  }

  /** Writes {@code xl_prev} and the checksum. */
  public static void seal(byte[] record, long prevLsn) {
    putI64(record, RecordParser.PREV, prevLsn);
    putI32(record, RecordParser.CRC, new Crc32c().of(record, 24, record.length - 24, 0, 20));
  }

  private void place(byte[] record, int offset, int length) {
    int at = offset;
    int left = length;
    while (left > 0) {
      pageHeaderIfDue(left, false);
      int count =
          Math.min(left, (int) (WalDecoder.PAGE_SIZE - (lsn() & (WalDecoder.PAGE_SIZE - 1))));
      out.bytes(record, at, count);
      at += count;
      left -= count;
    }
  }

  private void align() {
    out.zeros((int) (-lsn() & 7));
  }

  private void pageHeaderIfDue(int continued, boolean overwrites) {
    long pageLsn = lsn();
    if ((pageLsn & (WalDecoder.PAGE_SIZE - 1)) != 0) {
      return;
    }
    byte[] header = new byte[WalPageHeader.size(pageLsn, segmentSize)];
    boolean isLong = header.length == WalPageHeader.LONG_SIZE;
    putU16(header, 0, major.walPageMagic());
    putU16(
        header,
        2,
        (continued > 0 ? WalPageHeader.CONTINUES_RECORD : 0)
            | (isLong ? WalPageHeader.LONG_HEADER : 0)
            | (overwrites ? WalPageHeader.OVERWRITES_RECORD : 0));
    putI32(header, 4, tli);
    putI64(header, 8, pageLsn);
    putI32(header, 16, continued);
    if (isLong) {
      putI64(header, 24, SYSTEM_IDENTIFIER);
      putI32(header, 32, segmentSize);
      putI32(header, 36, WalDecoder.PAGE_SIZE);
    }
    out.bytes(header);
  }

  /** Length of a record as its header says. */
  public static int length(byte[] record) {
    return i32(record, 0);
  }
}
