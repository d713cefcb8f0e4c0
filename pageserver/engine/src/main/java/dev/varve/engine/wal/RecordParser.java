package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;

/**
 * Takes one contiguous WAL record apart into a {@link WalRecord}: the fixed header, the stream of
 * block headers, and where each block's image and data and the main data lie. Checks what
 * PostgreSQL checks and refuses flag bits that it does not define. Length and checksum of the
 * record are {@link WalDecoder}'s business. Stateless. The layout is the same in 15 to 18.
 *
 * <pre>
 * record  := header blockHeader* [origin] [toplevelXid] [mainHeader] (image? data?)* main
 * header  := total_len u32, xid u32, prev u64, info u8, rmid u8, pad u16, crc u32                      24 bytes
 * blockHeader := id u8 (0..32), fork_flags u8, data_len u16, [imageHeader], [spc u32, db u32, rel u32], block u32
 * imageHeader := length u16, hole_offset u16, bimg_info u8, [hole_length u16: compressed and with a hole]
 * mainHeader  := 255 u8, length u8  |  254 u8, length u32
 * origin      := 253 u8, origin u16
 * toplevelXid := 252 u8, xid u32
 * </pre>
 *
 * <p>Follows PostgreSQL 17 {@code DecodeXLogRecord} in {@code
 * src/backend/access/transam/xlogreader.c} and {@code src/include/access/xlogrecord.h}.
 */
final class RecordParser {
  static final int HEADER_SIZE = 24;
  static final int TOTAL_LENGTH = 0;
  static final int XID = 4;
  static final int PREV = 8;
  static final int INFO = 16;
  static final int RMID = 17;
  static final int CRC = 20;

  private static final int ID_MAIN_SHORT = 255;
  private static final int ID_MAIN_LONG = 254;
  private static final int ID_ORIGIN = 253;
  private static final int ID_TOPLEVEL_XID = 252;

  private static final int FORK_MASK = 0x0F;
  private static final int SAME_RELATION = 0x80;

  private static final int IMAGE_HAS_HOLE = 0x01;
  private static final int IMAGE_APPLY = 0x02;
  private static final int IMAGE_PGLZ = 0x04;
  private static final int IMAGE_LZ4 = 0x08;
  private static final int IMAGE_ZSTD = 0x10;
  private static final int IMAGE_COMPRESSED = IMAGE_PGLZ | IMAGE_LZ4 | IMAGE_ZSTD;
  private static final int IMAGE_BITS = IMAGE_HAS_HOLE | IMAGE_APPLY | IMAGE_COMPRESSED;

  private RecordParser() {}

  /**
   * Fills {@code record} from the {@code length} bytes at {@code offset}, which are a whole record
   * of at least {@link #HEADER_SIZE} bytes.
   *
   * @throws PageserverException.Corrupt when the headers do not add up; the record's contents are
   *     undefined then
   */
  static void parse(
      byte[] bytes, int offset, int length, long startLsn, long endLsn, WalRecord record) {
    record.clear();
    record.bytes = bytes;
    record.startLsn = startLsn;
    record.endLsn = endLsn;
    record.length = length;
    record.xid = i32(bytes, offset + XID);
    record.prevLsn = i64(bytes, offset + PREV);
    record.info = u8(bytes, offset + INFO) & 0xF0;
    record.rmid = u8(bytes, offset + RMID);

    int end = offset + length;
    int at = offset + HEADER_SIZE;
    // What the headers read so far promise to follow the last header; a long, as the parts of a bad
    // record may add up to more than 2 GiB.
    long promised = 0;
    int previousWithLocator = -1;
    while (end - at > promised) {
      int id = u8(bytes, at++);
      if (id < WalRecord.MAX_BLOCKS) {
        at = blockHeader(bytes, at, end, id, previousWithLocator, record);
        previousWithLocator = id;
        promised += record.blockDataLength[id] + record.blockImageLength[id];
      } else if (id == ID_MAIN_SHORT) {
        need(at, 1, end, record);
        record.mainLength = u8(bytes, at++);
        promised += record.mainLength;
        break;
      } else if (id == ID_MAIN_LONG) {
        need(at, 4, end, record);
        record.mainLength = i32(bytes, at);
        at += 4;
        if (record.mainLength < 0) {
          throw corrupt(
              record, "main data of " + Integer.toUnsignedString(record.mainLength) + " bytes");
        }
        promised += record.mainLength;
        break;
      } else if (id == ID_ORIGIN) {
        need(at, 2, end, record);
        record.origin = u16(bytes, at);
        at += 2;
      } else if (id == ID_TOPLEVEL_XID) {
        need(at, 4, end, record);
        record.toplevelXid = i32(bytes, at);
        at += 4;
      } else {
        throw corrupt(record, "block id " + id + " is not defined");
      }
    }
    if (end - at != promised) {
      throw corrupt(
          record, "headers promise " + promised + " bytes of data, " + (end - at) + " follow");
    }
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        if (record.blockImageLength[id] != 0) {
          record.blockImageOffset[id] = at;
          at += record.blockImageLength[id];
        }
        record.blockDataOffset[id] = at;
        at += record.blockDataLength[id];
      }
    }
    record.mainOffset = at;
  }

  private static int blockHeader(
      byte[] bytes, int offset, int end, int id, int previousWithLocator, WalRecord record) {
    int at = offset;
    if (id <= record.maxBlockId) {
      throw corrupt(record, "block id " + id + " after block id " + record.maxBlockId);
    }
    need(at, 3, end, record);
    int forkFlags = u8(bytes, at);
    int flags = forkFlags & (WalRecord.WILL_INIT | WalRecord.HAS_DATA | WalRecord.HAS_IMAGE);
    int fork = forkFlags & FORK_MASK;
    int dataLength = u16(bytes, at + 1);
    at += 3;
    if (fork >= ForkNumber.COUNT) {
      throw corrupt(record, "block " + id + " names fork " + fork);
    }
    if ((dataLength != 0) != ((flags & WalRecord.HAS_DATA) != 0)) {
      throw corrupt(
          record, "block " + id + ": data flag and data length " + dataLength + " disagree");
    }
    record.maxBlockId = id;
    record.blockPresent[id] = true;
    record.blockFlags[id] = flags;
    record.blockFork[id] = fork;
    record.blockDataLength[id] = dataLength;
    if ((flags & WalRecord.HAS_IMAGE) != 0) {
      at = imageHeader(bytes, at, end, id, record);
    }
    if ((forkFlags & SAME_RELATION) == 0) {
      need(at, 12, end, record);
      record.blockTablespace[id] = i32(bytes, at);
      record.blockDatabase[id] = i32(bytes, at + 4);
      record.blockRelation[id] = i32(bytes, at + 8);
      at += 12;
    } else if (previousWithLocator >= 0) {
      record.blockTablespace[id] = record.blockTablespace[previousWithLocator];
      record.blockDatabase[id] = record.blockDatabase[previousWithLocator];
      record.blockRelation[id] = record.blockRelation[previousWithLocator];
    } else {
      throw corrupt(
          record, "block " + id + " is of the relation of a block before it, and there is none");
    }
    need(at, 4, end, record);
    record.blockNumber[id] = i32(bytes, at);
    return at + 4;
  }

  private static int imageHeader(byte[] bytes, int offset, int end, int id, WalRecord record) {
    int at = offset;
    need(at, 5, end, record);
    int length = u16(bytes, at);
    int holeOffset = u16(bytes, at + 2);
    int imageInfo = u8(bytes, at + 4);
    at += 5;
    boolean hasHole = (imageInfo & IMAGE_HAS_HOLE) != 0;
    int compression = imageInfo & IMAGE_COMPRESSED;
    int holeLength = 0;
    if (compression == 0) {
      holeLength = Page.SIZE - length;
    } else if (hasHole) {
      need(at, 2, end, record);
      holeLength = u16(bytes, at);
      at += 2;
    }
    boolean sound =
        (imageInfo & ~IMAGE_BITS) == 0
            && Integer.bitCount(compression) <= 1
            && length > 0
            && length <= Page.SIZE
            && (hasHole
                ? holeOffset > 0 && holeLength > 0 && holeOffset + holeLength <= Page.SIZE
                : holeOffset == 0 && holeLength == 0)
            && (compression == 0 || length < Page.SIZE);
    if (!sound) {
      throw corrupt(
          record,
          "block "
              + id
              + ": image of "
              + length
              + " bytes with hole "
              + holeOffset
              + "+"
              + holeLength
              + " and flags 0x"
              + Integer.toHexString(imageInfo));
    }
    record.blockImageApplies[id] = (imageInfo & IMAGE_APPLY) != 0;
    record.blockImageLength[id] = length;
    record.blockImageHoleOffset[id] = holeOffset;
    record.blockImageHoleLength[id] = holeLength;
    record.blockImageCompression[id] =
        switch (compression) {
          case IMAGE_PGLZ -> FullPageImage.COMPRESSION_PGLZ;
          case IMAGE_LZ4 -> FullPageImage.COMPRESSION_LZ4;
          case IMAGE_ZSTD -> FullPageImage.COMPRESSION_ZSTD;
          default -> FullPageImage.COMPRESSION_NONE;
        };
    return at;
  }

  private static void need(int at, int count, int end, WalRecord record) {
    if (count > end - at) {
      throw corrupt(record, "headers end beyond the record's " + record.length + " bytes");
    }
  }

  private static PageserverException.Corrupt corrupt(WalRecord record, String reason) {
    return new PageserverException.Corrupt(
        "WAL record at " + Lsn.format(record.startLsn) + ": " + reason);
  }
}
