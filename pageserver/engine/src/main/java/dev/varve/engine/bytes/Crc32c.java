package dev.varve.engine.bytes;

import java.util.zip.CRC32C;

/**
 * CRC-32C (Castagnoli) over array ranges, as PostgreSQL and Varve's own files use it: initial value
 * all ones, final complement. The result is the unsigned checksum's 32 bits in an {@code int}. Not
 * thread-safe; one instance is reused for many checksums.
 */
public final class Crc32c {
  private final CRC32C crc = new CRC32C();

  /** The checksum of one range. */
  public int of(byte[] bytes, int offset, int length) {
    crc.reset();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  /** The checksum of one range followed by another of the same array. */
  public int of(byte[] bytes, int offset, int length, int secondOffset, int secondLength) {
    crc.reset();
    crc.update(bytes, offset, length);
    crc.update(bytes, secondOffset, secondLength);
    return (int) crc.getValue();
  }

  /** Begins the checksum of what {@link #update} is given piece by piece. */
  public void begin() {
    crc.reset();
  }

  public void update(byte[] bytes, int offset, int length) {
    crc.update(bytes, offset, length);
  }

  /** The checksum of the pieces since {@link #begin}. */
  public int value() {
    return (int) crc.getValue();
  }

  /** For single, cold checksums: makes an instance for the call. */
  public static int compute(byte[] bytes, int offset, int length) {
    return new Crc32c().of(bytes, offset, length);
  }
}
