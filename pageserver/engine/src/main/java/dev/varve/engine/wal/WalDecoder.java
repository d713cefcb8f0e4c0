package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import org.jspecify.annotations.Nullable;

/**
 * Turns WAL bytes, fed in chunks of any size, into checked records, one at a time. Owned by one
 * thread. Use:
 *
 * <pre>
 * decoder.startAt(lsn, WalDecoder.UNKNOWN_PREV);        // or startInside(pageLsn)
 * decoder.feed(lsn, bytes, 0, bytes.length);            // the chunk is not copied: leave it alone until next() is false
 * while (decoder.next(record)) { ... }                  // record is valid until the next call
 * </pre>
 *
 * <p>A record that lies on one page of the chunk is parsed where it lies; another is put together
 * in a {@link RecordBuffer}. Page headers are checked for magic, address, system identifier,
 * segment and page size, {@code TLI} and the length of the continued record; records for length,
 * checksum and {@code xl_prev}.
 *
 * <p>WAL that is not what it should be, zeros in place of a record included, is {@link
 * PageserverException.Corrupt} naming the LSN; the decoder stays broken then. Zeros are never end
 * of WAL here: a source must not send beyond what it has written. Follows PostgreSQL 17 {@code
 * XLogDecodeNextRecord} and {@code XLogReaderValidatePageHeader} in {@code
 * src/backend/access/transam/xlogreader.c}.
 */
public final class WalDecoder {
  /** {@code XLOG_BLCKSZ}. */
  public static final int PAGE_SIZE = 8192;

  /** {@code XLogRecordMaxSize}: 1020 MiB. */
  public static final int MAX_RECORD_LENGTH = 1020 << 20;

  /**
   * For {@link #startAt}: the first record's {@code xl_prev} is not known and only has to lie
   * before it.
   */
  public static final long UNKNOWN_PREV = -1;

  private enum State {
    /** Before the padding, page header or rest of a segment that precede the next record. */
    BETWEEN_RECORDS,
    /** {@link #buffer} has the beginning of a record. */
    IN_RECORD,
    /** Before or in the rest of a record whose beginning is not wanted. */
    IN_SKIPPED_RECORD
  }

  private final int segmentSize;
  private final WalPageHeader header;
  private final Crc32c crc = new Crc32c();
  private final RecordBuffer buffer;

  private @Nullable State state;
  private PageserverException.@Nullable Corrupt failure;

  private byte[] chunk = new byte[0];
  private int at;
  private int end;
  private long atLsn;

  /** Bytes of a page header that chunks have split; empty when none is under way. */
  private final byte[] headerBytes = new byte[WalPageHeader.LONG_SIZE];

  private int headerBuffered;

  private boolean headChecked;

  /** Length of the record under way; 0 while its first four bytes are not there. */
  private int recordLength;

  private long recordLsn;
  private long nextLsn;
  private long prevLsn;
  private int skipLength;

  /** Start of the record that was given up for an overwritten one; 0 when none is awaited. */
  private long overwrittenLsn;

  /**
   * @param segmentSize bytes of a WAL segment: a power of two from 1 MiB to 1 GiB
   * @param systemIdentifier the cluster's, checked in every segment's first page; 0: not checked
   */
  public WalDecoder(PostgresMajor major, int segmentSize, long systemIdentifier) {
    this(major, segmentSize, systemIdentifier, null);
  }

  /**
   * The same for WAL with records of any length.
   *
   * @param spool for long ones; without it {@link MainData} refuses what is not in memory
   */
  public WalDecoder(
      PostgresMajor major, int segmentSize, long systemIdentifier, @Nullable RecordSpool spool) {
    if (segmentSize < 1 << 20 || segmentSize > 1 << 30 || Integer.bitCount(segmentSize) != 1) {
      throw new IllegalArgumentException(
          "a WAL segment has 1 MiB to 1 GiB, a power of two, not " + segmentSize);
    }
    this.segmentSize = segmentSize;
    header = new WalPageHeader(major, segmentSize, systemIdentifier);
    buffer = new RecordBuffer(spool);
  }

  /**
   * Starts at a record boundary: the end of a record, or a page's start when the next record begins
   * behind its header. A decoder can be started again after anything, an error included.
   *
   * @param previousLsn where the record before it starts, or {@link #UNKNOWN_PREV}
   */
  public void startAt(long lsn, long previousLsn) {
    int onPage = (int) (lsn & (PAGE_SIZE - 1));
    if ((lsn & 7) != 0 || (onPage != 0 && onPage < WalPageHeader.size(lsn - onPage, segmentSize))) {
      throw new IllegalArgumentException(Lsn.format(lsn) + " cannot be a WAL record boundary");
    }
    start(lsn, State.BETWEEN_RECORDS);
    nextLsn = lsn;
    prevLsn = previousLsn;
  }

  /**
   * Starts at the start of a page (of a segment, for example). When a record continues there its
   * rest is passed over: the first record to come is the first that begins on this page or after
   * it.
   */
  public void startInside(long pageLsn) {
    if ((pageLsn & (PAGE_SIZE - 1)) != 0) {
      throw new IllegalArgumentException(Lsn.format(pageLsn) + " is not the start of a WAL page");
    }
    start(pageLsn, State.IN_SKIPPED_RECORD);
    nextLsn = pageLsn;
    prevLsn = UNKNOWN_PREV;
  }

  private void start(long lsn, State newState) {
    state = newState;
    failure = null;
    at = 0;
    end = 0;
    atLsn = lsn;
    headerBuffered = 0;
    skipLength = 0;
    overwrittenLsn = 0;
    header.forgetTli();
  }

  /**
   * Takes the next bytes, which follow those fed before without gap. Every record of the chunk
   * before must have been fetched.
   *
   * @param lsn address of the first byte: {@link #fedLsn}
   */
  public void feed(long lsn, byte[] bytes, int offset, int length) {
    if (state == null || at != end) {
      throw new IllegalStateException(
          state == null ? "fed before start" : "fed before the chunk before was used up");
    }
    if (lsn != atLsn) {
      throw new IllegalArgumentException(
          "fed at " + Lsn.format(lsn) + ", the next byte is at " + Lsn.format(atLsn));
    }
    if (offset < 0 || length < 0 || offset > bytes.length - length) {
      throw new IndexOutOfBoundsException(offset + " + " + length + " of " + bytes.length);
    }
    chunk = bytes;
    at = offset;
    end = offset + length;
  }

  /** Address behind the last byte fed: where the next chunk begins. */
  public long fedLsn() {
    return atLsn + (end - at);
  }

  /**
   * The record boundary behind the record that {@link #next} gave last: where its successor is
   * looked for, and where decoding can be started again. It is the record's end, but after a
   * segment switch the end of the segment. The page's start while {@link #startInside} still passes
   * over a record.
   */
  public long nextLsn() {
    return nextLsn;
  }

  /**
   * Start of the record given last, or what {@link #startAt} was told: the {@code xl_prev} of the
   * next.
   */
  public long previousLsn() {
    return prevLsn;
  }

  /** The {@code TLI} of the last page header seen; 0 before the first. */
  public int tli() {
    return header.tli();
  }

  /**
   * Gives the next whole record of what was fed.
   *
   * @return false when more bytes are needed; the chunk is used up then
   * @throws PageserverException.Corrupt when the WAL is malformed
   */
  public boolean next(WalRecord record) {
    if (failure != null) {
      throw failure;
    }
    try {
      while (true) {
        switch (state) {
          case BETWEEN_RECORDS -> {
            if (!toRecordStart()) {
              return false;
            }
            recordLsn = atLsn;
            if (end - at >= 4) {
              recordLength = checkedLength(i32(chunk, at));
              if (recordLength <= end - at && recordLength <= leftOnPage()) {
                int offset = at;
                checkHead(chunk, offset);
                advance(recordLength);
                finish(chunk, offset, checksum(offset), record);
                return true;
              }
            }
            beginBuffering();
          }
          case IN_RECORD -> {
            if (!gather()) {
              return false;
            }
            if (state == State.IN_RECORD) {
              state = State.BETWEEN_RECORDS;
              finish(buffer.bytes(), 0, buffer.checksum(), record);
              buffer.complete(record);
              return true;
            }
          }
          case IN_SKIPPED_RECORD -> {
            if (!skipRecord()) {
              return false;
            }
          }
          case null -> throw new IllegalStateException("not started");
        }
      }
    } catch (PageserverException.Corrupt e) {
      failure = e;
      throw e;
    }
  }

  /** Passes over padding, the rest of a switched segment and a page header. */
  private boolean toRecordStart() {
    // Behind nextLsn only when it is a page's start and the page header was read.
    long ahead = nextLsn - atLsn;
    if (ahead > 0) {
      advance((int) Math.min(ahead, end - at));
      if (atLsn != nextLsn) {
        return false;
      }
    }
    if (isHeaderDue()) {
      if (!readHeader()) {
        return false;
      }
      if (header.continuesRecord()) {
        throw corrupt(
            header.pageLsn(), "a record continues on this page, and none began before it");
      }
    }
    return at != end;
  }

  private void beginBuffering() {
    state = State.IN_RECORD;
    recordLength = 0;
    headChecked = false;
    buffer.begin();
  }

  /**
   * Moves the record under way into the buffer; also returns true, in another state, when it turns
   * out to have been overwritten.
   */
  private boolean gather() {
    while (buffer.length() < 4 || buffer.length() < recordLength) {
      if (isHeaderDue()) {
        if (!readHeader()) {
          return false;
        }
        if (header.overwritesRecord()) {
          state = State.BETWEEN_RECORDS;
          nextLsn = header.pageLsn();
          overwrittenLsn = recordLsn;
          return true;
        }
        checkContinued(recordLength - buffer.length());
      }
      int wanted = (buffer.length() < 4 ? 4 : recordLength) - buffer.length();
      int count = Math.min(wanted, Math.min(end - at, leftOnPage()));
      if (count == 0) {
        return false;
      }
      buffer.append(chunk, at, count);
      advance(count);
      if (recordLength == 0 && buffer.length() == 4) {
        recordLength = checkedLength(i32(buffer.bytes(), 0));
        buffer.expect(recordLength);
      }
      if (!headChecked && buffer.length() >= RecordParser.HEADER_SIZE) {
        checkHead(buffer.bytes(), 0);
        headChecked = true;
        buffer.headerChecked();
      }
    }
    return true;
  }

  private boolean skipRecord() {
    while (true) {
      if (isHeaderDue()) {
        boolean first = skipLength == 0;
        if (!readHeader()) {
          return false;
        }
        if (header.overwritesRecord() || (first && !header.continuesRecord())) {
          state = State.BETWEEN_RECORDS;
          nextLsn = header.pageLsn();
          return true;
        }
        if (first) {
          skipLength = header.continuedLength();
          if (skipLength <= 0 || skipLength > MAX_RECORD_LENGTH) {
            throw corrupt(
                header.pageLsn(),
                "a record continues for " + Integer.toUnsignedString(skipLength) + " bytes");
          }
        }
        checkContinued(skipLength);
      }
      int count = Math.min(skipLength, Math.min(end - at, leftOnPage()));
      if (count == 0) {
        return false;
      }
      advance(count);
      skipLength -= count;
      if (skipLength == 0) {
        state = State.BETWEEN_RECORDS;
        nextLsn = Lsn.align(atLsn);
        return true;
      }
    }
  }

  private void checkContinued(int expectedLength) {
    if (!header.continuesRecord()) {
      throw corrupt(
          header.pageLsn(), "the record that began before this page does not continue on it");
    }
    if (header.continuedLength() != expectedLength) {
      throw corrupt(
          header.pageLsn(),
          "a record continues for "
              + Integer.toUnsignedString(header.continuedLength())
              + " bytes where "
              + expectedLength
              + " are missing");
    }
  }

  private int checkedLength(int length) {
    if (length < RecordParser.HEADER_SIZE || length > MAX_RECORD_LENGTH) {
      throw corrupt(
          recordLsn,
          length == 0
              ? "no record: zeros"
              : "record length " + Integer.toUnsignedString(length) + " is out of range");
    }
    return length;
  }

  private void checkHead(byte[] bytes, int offset) {
    int rmid = u8(bytes, offset + RecordParser.RMID);
    if (rmid > 21 && rmid < 128) {
      throw corrupt(recordLsn, "resource manager " + rmid + " is not defined");
    }
    long prev = i64(bytes, offset + RecordParser.PREV);
    if (prevLsn == UNKNOWN_PREV ? Long.compareUnsigned(prev, recordLsn) >= 0 : prev != prevLsn) {
      throw corrupt(
          recordLsn,
          "the record names "
              + Lsn.format(prev)
              + " as the one before it"
              + (prevLsn == UNKNOWN_PREV ? "" : ", which is at " + Lsn.format(prevLsn)));
    }
  }

  private int checksum(int offset) {
    int body = RecordParser.HEADER_SIZE;
    return crc.of(chunk, offset + body, recordLength - body, offset, RecordParser.CRC);
  }

  /** Checks the record that ends at the present position and fills {@code record}. */
  private void finish(byte[] bytes, int offset, int checksum, WalRecord record) {
    if (checksum != i32(bytes, offset + RecordParser.CRC)) {
      throw corrupt(recordLsn, "checksum of the record does not match");
    }
    long endLsn = Lsn.align(atLsn);
    RecordParser.parse(bytes, offset, recordLength, recordLsn, endLsn, record);
    if (overwrittenLsn != 0) {
      checkOverwrite(record);
    }
    prevLsn = recordLsn;
    nextLsn = endLsn;
    if (record.rmid == WalRecord.RMGR_XLOG && record.info == WalRecord.XLOG_SWITCH) {
      nextLsn = (endLsn + segmentSize - 1) & -(long) segmentSize;
    }
  }

  private void checkOverwrite(WalRecord record) {
    if (record.rmid != WalRecord.RMGR_XLOG
        || record.info != WalRecord.XLOG_OVERWRITE_CONTRECORD
        || record.mainLength < 8
        || i64(record.bytes, record.mainOffset) != overwrittenLsn) {
      throw corrupt(
          recordLsn,
          "the record does not say that it overwrites the one at " + Lsn.format(overwrittenLsn));
    }
    overwrittenLsn = 0;
  }

  private boolean isHeaderDue() {
    return headerBuffered != 0 || (atLsn & (PAGE_SIZE - 1)) == 0;
  }

  private int leftOnPage() {
    return PAGE_SIZE - (int) (atLsn & (PAGE_SIZE - 1));
  }

  private void advance(int count) {
    at += count;
    atLsn += count;
  }

  private boolean readHeader() {
    long pageLsn = atLsn & -(long) PAGE_SIZE;
    int size = WalPageHeader.size(pageLsn, segmentSize);
    int count = Math.min(size - headerBuffered, end - at);
    if (headerBuffered == 0 && count == size) {
      header.read(chunk, at, pageLsn);
      advance(count);
      return true;
    }
    System.arraycopy(chunk, at, headerBytes, headerBuffered, count);
    headerBuffered += count;
    advance(count);
    if (headerBuffered < size) {
      return false;
    }
    headerBuffered = 0;
    header.read(headerBytes, 0, pageLsn);
    return true;
  }

  private static PageserverException.Corrupt corrupt(long lsn, String reason) {
    return new PageserverException.Corrupt("WAL at " + Lsn.format(lsn) + ": " + reason);
  }
}
