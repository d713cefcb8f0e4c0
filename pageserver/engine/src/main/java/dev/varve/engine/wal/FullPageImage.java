package dev.varve.engine.wal;

/**
 * The page images that records carry, restored to whole pages. Follows PostgreSQL 17 {@code RestoreBlockImage} in {@code
 * src/backend/access/transam/xlogreader.c}.
 */
public final class FullPageImage {
  public static final int COMPRESSION_NONE = 0;
  public static final int COMPRESSION_PGLZ = 1;
  public static final int COMPRESSION_LZ4 = 2;
  public static final int COMPRESSION_ZSTD = 3;

  private FullPageImage() {}
}
