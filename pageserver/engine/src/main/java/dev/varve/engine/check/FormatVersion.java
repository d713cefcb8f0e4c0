package dev.varve.engine.check;

import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.bytes.LittleEndian;

/**
 * Tells a file of a newer format from a damaged one. Every file begins with a magic number whose
 * first four bytes are {@code VARV}, then a version of two bytes; a checksum covers both.
 */
final class FormatVersion {
  private static final int MAGIC = 0x5652_4156; // "VARV"
  private static final int VERSION_OFFSET = 8;
  private static final int NEWEST = 1;

  private FormatVersion() {}

  /**
   * @param bytes that end with the checksum of all before
   */
  static boolean isTooNew(byte[] bytes) {
    int end = bytes.length - 4;
    return end >= VERSION_OFFSET + 2
        && LittleEndian.i32(bytes, 0) == MAGIC
        && LittleEndian.u16(bytes, VERSION_OFFSET) > NEWEST
        && LittleEndian.i32(bytes, end) == Crc32c.compute(bytes, 0, end);
  }
}
