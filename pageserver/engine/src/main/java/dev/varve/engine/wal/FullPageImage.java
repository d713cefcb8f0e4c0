package dev.varve.engine.wal;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import java.util.Arrays;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;
import org.jspecify.annotations.Nullable;

/**
 * The page images that records carry, restored to whole pages: decompressed, and the hole between
 * {@code pd_lower} and {@code pd_upper} filled with zeros. Stateless and thread-safe. Follows
 * PostgreSQL 17 {@code RestoreBlockImage} in {@code src/backend/access/transam/xlogreader.c}.
 */
public final class FullPageImage {
  public static final int COMPRESSION_NONE = 0;
  public static final int COMPRESSION_PGLZ = 1;

  /** A raw LZ4 block, without frame. */
  public static final int COMPRESSION_LZ4 = 2;

  /** A zstd frame. */
  public static final int COMPRESSION_ZSTD = 3;

  private static final LZ4SafeDecompressor LZ4 = LZ4Factory.fastestInstance().safeDecompressor();

  private FullPageImage() {}

  /**
   * Overwrites {@code page} with the image of block {@code blockId}. The page has the LSN that it
   * had when the image was taken, not the record's: see {@code Redo.restoreImage}.
   *
   * @throws PageserverException.Corrupt when the image cannot be decompressed to the page
   */
  public static void restore(WalRecord record, int blockId, byte[] page) {
    int length = record.blockImageLength[blockId];
    if (length == 0) {
      throw corrupt(record, blockId, "is not in the record", null);
    }
    int offset = record.blockImageOffset[blockId];
    int holeOffset = record.blockImageHoleOffset[blockId];
    int holeLength = record.blockImageHoleLength[blockId];
    int plainLength = Page.SIZE - holeLength;
    switch (record.blockImageCompression[blockId]) {
      case COMPRESSION_NONE -> System.arraycopy(record.bytes, offset, page, 0, plainLength);
      case COMPRESSION_PGLZ -> {
        if (!Pglz.decompress(record.bytes, offset, length, page, plainLength)) {
          throw corrupt(record, blockId, "is no pglz of " + plainLength + " bytes", null);
        }
      }
      case COMPRESSION_LZ4 -> lz4(record, blockId, page, offset, length, plainLength);
      case COMPRESSION_ZSTD -> zstd(record, blockId, page, offset, length, plainLength);
      default -> throw corrupt(record, blockId, "has an unknown compression", null);
    }
    if (holeLength != 0) {
      int holeEnd = holeOffset + holeLength;
      System.arraycopy(page, holeOffset, page, holeEnd, Page.SIZE - holeEnd);
      Arrays.fill(page, holeOffset, holeEnd, (byte) 0);
    }
  }

  private static void lz4(
      WalRecord record, int blockId, byte[] page, int offset, int length, int plainLength) {
    int got;
    try {
      got = LZ4.decompress(record.bytes, offset, length, page, 0, plainLength);
    } catch (LZ4Exception e) {
      throw corrupt(record, blockId, "is no LZ4 block of " + plainLength + " bytes", e);
    }
    if (got != plainLength) {
      throw corrupt(
          record,
          blockId,
          "is an LZ4 block of " + got + " instead of " + plainLength + " bytes",
          null);
    }
  }

  private static void zstd(
      WalRecord record, int blockId, byte[] page, int offset, int length, int plainLength) {
    long got;
    try {
      got = Zstd.decompressByteArray(page, 0, plainLength, record.bytes, offset, length);
    } catch (ZstdException e) {
      throw corrupt(
          record, blockId, "is no zstd frame of " + plainLength + " bytes: " + e.getMessage(), e);
    }
    if (got != plainLength) {
      throw corrupt(
          record,
          blockId,
          "is a zstd frame of " + got + " instead of " + plainLength + " bytes",
          null);
    }
  }

  private static PageserverException.Corrupt corrupt(
      WalRecord record, int blockId, String reason, @Nullable Throwable cause) {
    return new PageserverException.Corrupt(
        "WAL record ending at "
            + Lsn.format(record.endLsn)
            + ": the image of block "
            + blockId
            + " "
            + reason,
        cause);
  }
}
