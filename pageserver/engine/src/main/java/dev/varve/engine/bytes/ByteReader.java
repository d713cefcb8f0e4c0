package dev.varve.engine.bytes;

import dev.varve.engine.PageserverException;
import java.util.Arrays;

/**
 * Reads a range of an array front to back and checks every length before use. What does not fit the
 * range is {@link PageserverException.Corrupt} with the name of the thing read and the position.
 * The inverse of {@link ByteWriter}. Not thread-safe.
 */
public final class ByteReader {
  private final String what;
  private byte[] bytes;
  private int start;
  private int position;
  private int end;
  private boolean isNewer;

  /**
   * @param what names the thing read, for messages
   */
  public ByteReader(String what, byte[] bytes, int offset, int length) {
    this.what = what;
    this.bytes = bytes;
    reset(bytes, offset, length);
  }

  /**
   * For a range of which the array may have the beginning only: what lies behind that can be passed
   * over, and is out of bounds for whoever reads it.
   */
  public static ByteReader ofBeginning(String what, byte[] bytes, int offset, int length) {
    ByteReader reader = new ByteReader(what, bytes, offset, 0);
    reader.end = Math.addExact(offset, length);
    return reader;
  }

  public ByteReader(String what, byte[] bytes) {
    this(what, bytes, 0, bytes.length);
  }

  /** Starts over on another range. */
  public void reset(byte[] newBytes, int offset, int length) {
    if (offset < 0 || length < 0 || offset > newBytes.length - length) {
      throw new IndexOutOfBoundsException(offset + " + " + length + " of " + newBytes.length);
    }
    bytes = newBytes;
    start = offset;
    position = offset;
    end = offset + length;
  }

  public byte[] array() {
    return bytes;
  }

  /** Index in {@link #array} of the next byte. */
  public int position() {
    return position;
  }

  /** Bytes read so far. */
  public int consumed() {
    return position - start;
  }

  public int remaining() {
    return end - position;
  }

  public int u8() {
    require(1);
    return bytes[position++] & 0xFF;
  }

  public int u16() {
    require(2);
    int value = LittleEndian.u16(bytes, position);
    position += 2;
    return value;
  }

  public int i32() {
    require(4);
    int value = LittleEndian.i32(bytes, position);
    position += 4;
    return value;
  }

  public long i64() {
    require(8);
    long value = LittleEndian.i64(bytes, position);
    position += 8;
    return value;
  }

  /**
   * A {@code u32} that counts something and so must be small enough for an array: at most {@code
   * limit}.
   */
  public int count(int limit) {
    int value = i32();
    if (value < 0 || value > limit) {
      throw corrupt(
          "a count of "
              + Integer.toUnsignedString(value)
              + " where at most "
              + limit
              + " is possible",
          4);
    }
    return value;
  }

  /** A {@code u32} that counts elements of this size, which lie in the rest of the range. */
  public int countOf(int elementBytes) {
    require(4);
    return count((remaining() - 4) / elementBytes);
  }

  /** An unsigned value in base 128; more than 64 bits, or a trailing zero group, are corrupt. */
  public long varint() {
    long value = 0;
    int read = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int group = u8();
      read++;
      if (shift == 63 && group > 1) {
        throw corrupt("a number of more than 64 bits", read);
      }
      value |= (long) (group & 0x7F) << shift;
      if (group < 0x80) {
        if (group == 0 && shift > 0) {
          throw corrupt("a number written longer than need be", read);
        }
        return value;
      }
    }
    throw corrupt("a number of more than 64 bits", read);
  }

  /** A {@link #varint} of at most 32 bits. */
  public int varintU32() {
    int before = position;
    long value = varint();
    if (value >>> 32 != 0) {
      throw corrupt("a number of more than 32 bits", position - before);
    }
    return (int) value;
  }

  /** A {@link #varint} that is the length of something that lies in the rest of the range. */
  public int varintLength() {
    int before = position;
    long value = varint();
    if (value < 0 || value > remaining()) {
      throw corrupt(
          "a length of "
              + Long.toUnsignedString(value)
              + " where "
              + remaining()
              + " bytes are left",
          position - before);
    }
    return (int) value;
  }

  /** Passes over {@code count} bytes and gives the index of the first. */
  public int skip(int count) {
    require(count);
    int at = position;
    position += count;
    return at;
  }

  public byte[] bytes(int count) {
    int at = skip(count);
    return Arrays.copyOfRange(bytes, at, at + count);
  }

  /** Of bytes that a newer release wrote, which may go on behind what this one knows. */
  ByteReader ofNewer() {
    isNewer = true;
    return this;
  }

  /** Checks that nothing is left. */
  public void end() {
    if (position != end && !isNewer) {
      throw corrupt(remaining() + " bytes too many", 0);
    }
  }

  private void require(int count) {
    if (count < 0 || count > end - position) {
      throw corrupt("need " + Integer.toUnsignedString(count) + " bytes, have " + remaining(), 0);
    }
  }

  private PageserverException.Corrupt corrupt(String reason, int back) {
    return new PageserverException.Corrupt(
        what + ": at byte " + (consumed() - back) + ": " + reason);
  }
}
