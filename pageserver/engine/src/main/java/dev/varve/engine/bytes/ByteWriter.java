package dev.varve.engine.bytes;

import java.util.Arrays;

/**
 * A growing little-endian sink over one array. The array may be used in place ({@link #array},
 * valid up to {@link #length} until the next write) and the writer reused ({@link #reset} keeps the
 * array). Not thread-safe.
 */
public final class ByteWriter {
  private static final int MAX_LENGTH = Integer.MAX_VALUE - 8;

  private byte[] bytes;
  private int length;

  public ByteWriter() {
    this(256);
  }

  public ByteWriter(int capacityBytes) {
    bytes = new byte[capacityBytes];
  }

  /** Forgets what was written and keeps the array. */
  public void reset() {
    length = 0;
  }

  /** Cuts back to {@code newLength}, which is at most {@link #length}. */
  public void truncate(int newLength) {
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException("cannot cut " + length + " bytes to " + newLength);
    }
    length = newLength;
  }

  /** How many bytes were written. */
  public int length() {
    return length;
  }

  /** The array behind this writer; another one after it grew. */
  public byte[] array() {
    return bytes;
  }

  /** A copy of what was written. */
  public byte[] toByteArray() {
    return Arrays.copyOf(bytes, length);
  }

  public void u8(int value) {
    ensure(1);
    bytes[length++] = (byte) value;
  }

  public void u16(int value) {
    ensure(2);
    LittleEndian.putU16(bytes, length, value);
    length += 2;
  }

  public void i32(int value) {
    ensure(4);
    LittleEndian.putI32(bytes, length, value);
    length += 4;
  }

  public void i64(long value) {
    ensure(8);
    LittleEndian.putI64(bytes, length, value);
    length += 8;
  }

  /**
   * Base 128, low groups first, the high bit set on all bytes but the last; the value is unsigned:
   * 1 to 10 bytes.
   */
  public void varint(long value) {
    ensure(10);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      bytes[length++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    bytes[length++] = (byte) rest;
  }

  /** An unsigned 32-bit value as a {@link #varint}: 1 to 5 bytes. */
  public void varintU32(int value) {
    varint(value & 0xFFFF_FFFFL);
  }

  public void bytes(byte[] source) {
    bytes(source, 0, source.length);
  }

  public void bytes(byte[] source, int offset, int count) {
    ensure(count);
    System.arraycopy(source, offset, bytes, length, count);
    length += count;
  }

  public void zeros(int count) {
    ensure(count);
    Arrays.fill(bytes, length, length + count, (byte) 0);
    length += count;
  }

  /** Overwrites four bytes that were written before. */
  public void putI32(int offset, int value) {
    if (offset < 0 || offset > length - 4) {
      throw new IndexOutOfBoundsException(offset + " of " + length);
    }
    LittleEndian.putI32(bytes, offset, value);
  }

  private void ensure(int more) {
    if (more > bytes.length - length) {
      grow(more);
    }
  }

  private void grow(int more) {
    long needed = (long) length + more;
    if (needed > MAX_LENGTH) {
      throw new IllegalStateException("a buffer cannot hold " + needed + " bytes");
    }
    bytes = Arrays.copyOf(bytes, (int) Math.min(MAX_LENGTH, Math.max(needed, 2L * bytes.length)));
  }
}
