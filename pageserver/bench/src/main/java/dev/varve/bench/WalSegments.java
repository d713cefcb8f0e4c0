package dev.varve.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The WAL segment files of a data directory: 16 MiB each, TLI 1. */
final class WalSegments {
  static final int SEGMENT_BYTES = 16 << 20;

  private WalSegments() {}

  /** The file that has the byte at {@code lsn}. */
  static Path file(Path dataDirectory, long lsn) {
    long segment = lsn / SEGMENT_BYTES;
    return dataDirectory
        .resolve("pg_wal")
        .resolve("%08X%08X%08X".formatted(1, segment / 256, segment % 256));
  }

  /** All bytes from {@code startLsn} to {@code endLsn}: less than 2 GiB. */
  static byte[] read(Path dataDirectory, long startLsn, long endLsn) {
    byte[] bytes = new byte[Math.toIntExact(endLsn - startLsn)];
    int at = 0;
    while (at < bytes.length) {
      long lsn = startLsn + at;
      int offset = (int) (lsn % SEGMENT_BYTES);
      int length = Math.min(SEGMENT_BYTES - offset, bytes.length - at);
      try {
        byte[] segment = Files.readAllBytes(file(dataDirectory, lsn));
        System.arraycopy(segment, offset, bytes, at, length);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      at += length;
    }
    return bytes;
  }
}
