package dev.varve.engine.image;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.putU8;

import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ClusterIdentity;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * The WAL of a thin image: a shutdown checkpoint generated at exactly the image's LSN, in a segment
 * that is otherwise empty, so that PostgreSQL's new WAL goes on where the old one ended. When the
 * record does not fit the segment it goes on in a second one.
 *
 * <p>The LSN may lie in the middle of a page, on a page boundary (the record then starts behind the
 * page header), at a segment's start, or so close to a page's end that the record is split. Follows
 * PostgreSQL 17 {@code src/include/access/xlog_internal.h} and {@code xlogrecord.h}.
 */
final class CheckpointSegment {
  private static final int PAGE = 8192;
  private static final int SHORT_HEADER = 24;
  private static final int LONG_HEADER = 40;
  private static final int FIRST_IS_CONTINUATION = 0x0001;
  private static final int LONG = 0x0002;
  private static final int RECORD_HEADER = 24;

  /** {@code XLR_BLOCK_ID_DATA_SHORT}. */
  private static final int SHORT_MAIN_DATA = 255;

  /** Header, marker and length of the main data, the checkpoint. */
  static final int RECORD_BYTES = RECORD_HEADER + 2 + CheckPoint.SIZE;

  /**
   * One WAL file: its name below {@code pg_wal} and, by their offsets, its pages; the rest is
   * zeros.
   */
  static final class Segment {
    private final String name;
    private final NavigableMap<Integer, byte[]> pages = new TreeMap<>();

    private Segment(String name) {
      this.name = name;
    }

    String name() {
      return name;
    }

    NavigableMap<Integer, byte[]> pages() {
      return pages;
    }

    private byte[] page(int offset) {
      return pages.computeIfAbsent(offset, absent -> new byte[PAGE]);
    }
  }

  private final ClusterIdentity identity;
  private final int tli;
  private final List<Segment> segments = new ArrayList<>();

  private CheckpointSegment(ClusterIdentity identity, int tli) {
    this.identity = identity;
    this.tli = tli;
  }

  /**
   * Where the checkpoint record of an image at {@code lsn} starts: behind the page header when that
   * comes next.
   */
  static long recordLsn(long lsn, int segmentBytes) {
    if (lsn % PAGE != 0) {
      return lsn;
    }
    return lsn + (lsn % segmentBytes == 0 ? LONG_HEADER : SHORT_HEADER);
  }

  /**
   * Makes the segment, or two.
   *
   * @param previousStartLsn where the last record before {@code lsn} starts: the new record's
   *     {@code xl_prev}
   * @param checkPoint 88 bytes whose redo pointer is {@link #recordLsn}
   */
  static List<Segment> generate(
      ClusterIdentity identity, int tli, long lsn, long previousStartLsn, byte[] checkPoint) {
    CheckpointSegment wal = new CheckpointSegment(identity, tli);
    int segmentBytes = identity.walSegmentBytes();
    long start = recordLsn(lsn, segmentBytes);
    Segment segment = wal.addSegment(start - start % segmentBytes);
    long pageStart = start - start % PAGE;
    int inPage = (int) (start % PAGE);
    int header = pageStart % segmentBytes == 0 ? LONG_HEADER : SHORT_HEADER;
    // The part of the record before that stands on this page, so that a reader of the page finds
    // the new one.
    boolean continued = previousStartLsn < pageStart && inPage > header;
    wal.pageHeader(segment, pageStart, continued ? inPage - header : 0);

    byte[] record = record(previousStartLsn, checkPoint);
    int written = 0;
    long at = start;
    while (written < record.length) {
      if (at % PAGE == 0) {
        if (at % segmentBytes == 0) {
          segment = wal.addSegment(at);
        }
        wal.pageHeader(segment, at, record.length - written);
        at += at % segmentBytes == 0 ? LONG_HEADER : SHORT_HEADER;
      }
      int room = Math.min(PAGE - (int) (at % PAGE), record.length - written);
      int inSegment = (int) (at % segmentBytes);
      int onPage = inSegment % PAGE;
      System.arraycopy(record, written, segment.page(inSegment - onPage), onPage, room);
      written += room;
      at += room;
    }
    return wal.segments;
  }

  private Segment addSegment(long startLsn) {
    int segmentBytes = identity.walSegmentBytes();
    Segment segment = new Segment(name(tli, startLsn, segmentBytes));
    segments.add(segment);
    pageHeader(segment, startLsn, 0);
    return segment;
  }

  /** The name of the WAL file that holds {@code lsn} ({@code XLogFileName}). */
  static String name(int tli, long lsn, int segmentBytes) {
    long segment = Long.divideUnsigned(lsn, segmentBytes);
    long perId = 0x1_0000_0000L / segmentBytes;
    return "%08X%08X%08X".formatted(tli, segment / perId, segment % perId);
  }

  private void pageHeader(Segment segment, long pageLsn, int remainingBytes) {
    int segmentBytes = identity.walSegmentBytes();
    int inSegment = (int) (pageLsn % segmentBytes);
    byte[] page = segment.page(inSegment);
    boolean first = inSegment == 0;
    putU16(page, 0, identity.major().walPageMagic());
    putU16(page, 2, (first ? LONG : 0) | (remainingBytes > 0 ? FIRST_IS_CONTINUATION : 0));
    putI32(page, 4, tli);
    putI64(page, 8, pageLsn);
    putI32(page, 16, remainingBytes);
    if (first) {
      putI64(page, 24, identity.systemIdentifier());
      putI32(page, 32, segmentBytes);
      putI32(page, 36, PAGE);
    }
  }

  private static byte[] record(long previousStartLsn, byte[] checkPoint) {
    byte[] record = new byte[RECORD_BYTES];
    putI32(record, 0, RECORD_BYTES);
    putI64(record, 8, previousStartLsn);
    putU8(record, RECORD_HEADER, SHORT_MAIN_DATA);
    putU8(record, RECORD_HEADER + 1, CheckPoint.SIZE);
    System.arraycopy(checkPoint, 0, record, RECORD_HEADER + 2, CheckPoint.SIZE);
    CRC32C crc = new CRC32C();
    crc.update(record, RECORD_HEADER, RECORD_BYTES - RECORD_HEADER);
    crc.update(record, 0, 20);
    putI32(record, 20, (int) crc.getValue());
    return record;
  }
}
