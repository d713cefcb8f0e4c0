package dev.varve.engine.wal;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Reads a record's main data front to back, or at a place that was passed before; of a record that
 * was spooled ({@link RecordSpool}) from its file. Every length is checked before use. Not
 * thread-safe; valid as long as the record.
 */
public final class MainData {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final byte[] bytes;
  private final int offset;
  private final int length;

  /** The whole record, when its main data is not all in {@link #bytes}. */
  private final @Nullable MemorySegment spooled;

  private int position;

  public MainData(WalRecord record) {
    bytes = record.bytes;
    offset = record.mainOffset;
    length = record.mainLength;
    spooled = record.spooled;
    if (spooled == null && length > record.mainKept()) {
      throw new PageserverException.Corrupt(
          "main data of " + length + " bytes, of which " + record.mainKept() + " were kept");
    }
  }

  public int consumed() {
    return position;
  }

  public int remaining() {
    return length - position;
  }

  public int u8() {
    int at = skip(1);
    return (spooled == null
            ? bytes[offset + at]
            : spooled.get(ValueLayout.JAVA_BYTE, (long) offset + at))
        & 0xFF;
  }

  public int u16() {
    return u8() | u8() << 8;
  }

  public int i32() {
    return i32At(skip(4));
  }

  /** The value at a place that {@link #skip} gave, or behind it. */
  public int i32At(int at) {
    return spooled == null
        ? LittleEndian.i32(bytes, offset + at)
        : spooled.get(INT, (long) offset + at);
  }

  public long i64() {
    int at = skip(8);
    return spooled == null
        ? LittleEndian.i64(bytes, offset + at)
        : spooled.get(LONG, (long) offset + at);
  }

  /** A {@code u32} that counts elements of this size, which lie in the rest. */
  public int countOf(int elementBytes) {
    int count = i32();
    int limit = remaining() / elementBytes;
    if (count < 0 || count > limit) {
      throw corrupt(
          "a count of "
              + Integer.toUnsignedString(count)
              + " where at most "
              + limit
              + " is possible");
    }
    return count;
  }

  /** Passes over {@code count} bytes; returns where they begin. */
  public int skip(int count) {
    if (count < 0 || count > remaining()) {
      throw corrupt("need " + Integer.toUnsignedString(count) + " bytes, have " + remaining());
    }
    int at = position;
    position += count;
    return at;
  }

  /** Copies all of it to the start of {@code target}. */
  public void copyTo(byte[] target) {
    if (spooled == null) {
      System.arraycopy(bytes, offset, target, 0, length);
    } else {
      MemorySegment.copy(spooled, ValueLayout.JAVA_BYTE, offset, target, 0, length);
    }
  }

  /** Checks that nothing is left. */
  public void end() {
    if (remaining() != 0) {
      throw corrupt(remaining() + " bytes too many");
    }
  }

  private PageserverException.Corrupt corrupt(String reason) {
    return new PageserverException.Corrupt("main data: at byte " + position + ": " + reason);
  }
}
