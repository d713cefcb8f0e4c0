package dev.varve.compute.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows of {@code pg_subscription} in all the ways in which PostgreSQL stores their columns. */
final class SubscriptionTupleTest {
  private static final int FIXED = 92;
  private static final int COLUMNS = 18;
  private static final int SLOT = 14;
  private static final byte[] TOASTED = new byte[18];

  static {
    Arrays.fill(TOASTED, (byte) 7);
    TOASTED[0] = 1;
    TOASTED[1] = 18;
  }

  /** A value of variable length: with one byte before it, or aligned with four. */
  private static void text(ByteArrayOutputStream data, byte[] bytes) {
    if (bytes.length < 127) {
      data.write(bytes.length + 1 << 1 | 1);
    } else {
      while (data.size() % 4 != 0) {
        data.write(0);
      }
      data.writeBytes(
          ByteBuffer.allocate(4)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putInt(bytes.length + 4 << 2)
              .array());
    }
    data.writeBytes(bytes);
  }

  private static byte[] tuple(byte[] connection, @Nullable String slot, List<byte[]> rest) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    byte[] fixed = new byte[FIXED];
    for (int i = 0; i < FIXED; i++) {
      fixed[i] = (byte) (i + 1);
    }
    fixed[84] = 1;
    data.writeBytes(fixed);
    if (Arrays.equals(connection, TOASTED)) {
      data.writeBytes(TOASTED);
    } else {
      text(data, connection);
    }
    if (slot != null) {
      data.writeBytes(Arrays.copyOf(slot.getBytes(StandardCharsets.US_ASCII), 64));
    }
    rest.forEach(value -> text(data, value));
    int headerBytes = slot == null ? 32 : 24;
    ByteBuffer tuple =
        ByteBuffer.allocate(headerBytes + data.size()).order(ByteOrder.LITTLE_ENDIAN);
    tuple.putInt(0, 4711);
    tuple.putShort(18, (short) (COLUMNS | 0x4000));
    tuple.putShort(20, (short) (0x0902 | (slot == null ? 1 : 0)));
    tuple.put(22, (byte) headerBytes);
    if (slot == null) {
      for (int i = 0; i < COLUMNS; i++) {
        if (i != SLOT) {
          tuple.put(23 + i / 8, (byte) (tuple.get(23 + i / 8) | 1 << i % 8));
        }
      }
    }
    tuple.put(headerBytes, data.toByteArray());
    return tuple.array();
  }

  /** Reads the columns of variable length: the connection, then those behind the absent slot. */
  private static List<byte[]> columns(byte[] tuple) {
    ByteBuffer in = ByteBuffer.wrap(tuple).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> found = new ArrayList<>();
    int data = tuple[22];
    int at = data + FIXED;
    while (at < tuple.length) {
      if (tuple[at] == 0) {
        at = data + (at - data + 3) / 4 * 4;
      }
      boolean small = (tuple[at] & 1) != 0;
      int length = small ? (tuple[at] & 0xFF) >>> 1 : in.getInt(at) >>> 2;
      found.add(Arrays.copyOfRange(tuple, at + (small ? 1 : 4), at + length));
      at += length;
    }
    return found;
  }

  private static byte[] letters(int count) {
    byte[] bytes = new byte[count];
    Arrays.fill(bytes, (byte) 'x');
    return bytes;
  }

  @ParameterizedTest
  @CsvSource({
    "0, true, 3",
    "6, true, 3",
    "40, true, 3",
    "41, true, 200",
    "126, true, 130",
    "127, true, 3",
    "500, true, 700",
    "-1, true, 3",
    "-1, true, 300",
    "0, false, 3",
    "6, false, 3",
    "40, false, 200",
    "130, false, 201",
    "-1, false, 400"
  })
  void isHeldBack(int connection, boolean hasSlot, int rest) {
    List<byte[]> behind =
        List.of(
            "off".getBytes(StandardCharsets.US_ASCII),
            letters(rest),
            "any".getBytes(StandardCharsets.US_ASCII));
    byte[] before =
        tuple(connection < 0 ? TOASTED : letters(connection), hasSlot ? "slot" : null, behind);
    byte[] held = new SubscriptionTuple(17, before).held();
    assertTrue(held.length <= before.length, held.length + " of " + before.length);
    assertEquals(4711, ByteBuffer.wrap(held).order(ByteOrder.LITTLE_ENDIAN).getInt(0));
    assertEquals(1, held[20] & 1);
    assertEquals(32, held[22]);
    byte[] bits = {(byte) 0xFF, (byte) 0xBF, 3};
    assertEquals(Arrays.toString(bits), Arrays.toString(Arrays.copyOfRange(held, 23, 26)));
    for (int i = 0; i < FIXED; i++) {
      assertEquals(i == 84 ? 0 : (byte) (i + 1), held[32 + i], "byte " + i);
    }
    List<byte[]> columns = columns(held);
    assertEquals(4, columns.size());
    String nowhere = new String(columns.getFirst(), StandardCharsets.US_ASCII);
    assertTrue(
        nowhere.isEmpty() ? connection < 6 && !hasSlot : nowhere.startsWith("host=/"), nowhere);
    for (int i = 0; i < 3; i++) {
      assertEquals(
          new String(behind.get(i), StandardCharsets.US_ASCII),
          new String(columns.get(i + 1), StandardCharsets.US_ASCII));
    }
    assertEquals(
        Arrays.toString(held), Arrays.toString(new SubscriptionTuple(17, held).held()), "again");
  }
}
