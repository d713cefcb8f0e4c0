package dev.varve.compute.settings;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One row of {@code pg_subscription} as it is on a page, and the same row for a copy: disabled,
 * without a slot, its connection leading nowhere. A subscription like that is dropped without a
 * connection (PostgreSQL 17 {@code DropSubscription} in src/backend/commands/subscriptioncmds.c:
 * where tables are not in sync it connects to drop their slots, and goes on when it cannot and the
 * subscription has no slot); it cannot be refreshed, since it is disabled, nor enabled, since it
 * has no slot.
 *
 * <p>Layout: {@code FormData_pg_subscription} in src/include/catalog/pg_subscription.h of each
 * major, {@code HeapTupleHeaderData} in src/include/access/htup_details.h, lengths in
 * src/include/varatt.h; little-endian.
 */
final class SubscriptionTuple {
  /**
   * Connection strings that lead nowhere, the first that fits is taken. From 16 on one that belongs
   * to an ordinary role is refused before it is tried, unless it has a password.
   */
  private static final List<String> NOWHERE =
      List.of("host=/held_back_on_this_copy password=-", "host=/ password=-", "host=/", "");

  private static final int INFOMASK2 = 18;
  private static final int INFOMASK = 20;
  private static final int HEADER_BYTES = 22;
  private static final int BITS = 23;
  private static final int ATTRIBUTE_COUNT = 0x7FF;
  private static final int HAS_NULL = 1;
  private static final int NAME_BYTES = 64;
  private static final int ENABLED = 84;

  /** {@code VARTAG_ONDISK} with its header, and where {@code va_valueid} is in that. */
  private static final int TOAST_POINTER_BYTES = 2 + 16;

  private static final int TOAST_VALUE = 2 + 8;

  private final int major;
  private final byte[] tuple;
  private final List<Integer> toastedOthers = new ArrayList<>();

  SubscriptionTuple(int major, byte[] tuple) {
    this.major = major;
    this.tuple = tuple;
  }

  /** The bytes of the columns that are always there. */
  private int fixedBytes() {
    return major == 15 ? 89 : major == 16 ? 91 : 92;
  }

  /** Columns before {@code subslotname}. */
  private int columnsBeforeSlot() {
    return major == 15 ? 11 : major == 16 ? 13 : 14;
  }

  /** Values in the TOAST table that {@link #held} still needs. */
  List<Integer> toastedOthers() {
    return toastedOthers;
  }

  /** The row for a copy, not longer than this one. */
  byte[] held() {
    ByteBuffer in = ByteBuffer.wrap(tuple).order(ByteOrder.LITTLE_ENDIAN);
    int columns = in.getShort(INFOMASK2) & ATTRIBUTE_COUNT;
    boolean hasNull = (in.getShort(INFOMASK) & HAS_NULL) != 0;
    int slot = columnsBeforeSlot();
    boolean hasSlot = !hasNull || (tuple[BITS + slot / 8] & 1 << slot % 8) != 0;
    int data = tuple[HEADER_BYTES] & 0xFF;
    int connection = start(data + fixedBytes(), data);
    int at = connection + length(connection);
    if (hasSlot) {
      at += NAME_BYTES;
    }
    for (String nowhere : NOWHERE) {
      byte[] made = with(nowhere, columns, data, at);
      if (made.length <= tuple.length) {
        return made;
      }
    }
    throw new IllegalStateException("a subscription's row grew");
  }

  /**
   * @param data where the columns begin
   * @param rest where those behind the slot begin
   */
  private byte[] with(String connection, int columns, int data, int rest) {
    toastedOthers.clear();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] header = Arrays.copyOf(tuple, align(BITS + (columns + 7) / 8, 8));
    header[INFOMASK] |= HAS_NULL;
    header[HEADER_BYTES] = (byte) header.length;
    Arrays.fill(header, BITS, header.length, (byte) 0);
    for (int column = 0; column < columns; column++) {
      if (column != columnsBeforeSlot()) {
        header[BITS + column / 8] |= (byte) (1 << column % 8);
      }
    }
    out.writeBytes(header);
    byte[] fixed = Arrays.copyOfRange(tuple, data, data + fixedBytes());
    fixed[ENABLED] = 0;
    out.writeBytes(fixed);
    byte[] text = connection.getBytes(StandardCharsets.US_ASCII);
    out.write(text.length + 1 << 1 | 1);
    out.writeBytes(text);
    int at = rest;
    for (int column = columnsBeforeSlot() + 1; column < columns; column++) {
      int start = start(at, data);
      int length = length(start);
      boolean aligned = (tuple[start] & 1) == 0;
      while (aligned && (out.size() - header.length) % 4 != 0) {
        out.write(0);
      }
      out.write(tuple, start, length);
      if (tuple[start] == 1) {
        toastedOthers.add(
            ByteBuffer.wrap(tuple).order(ByteOrder.LITTLE_ENDIAN).getInt(start + TOAST_VALUE));
      }
      at = start + length;
    }
    return out.toByteArray();
  }

  /** Where the next value of variable length begins: at once when it is short, else aligned. */
  private int start(int at, int data) {
    return tuple[at] != 0 ? at : data + align(at - data, 4);
  }

  /** Of a value, with its own header. */
  private int length(int start) {
    int first = tuple[start] & 0xFF;
    if (first == 1) {
      return TOAST_POINTER_BYTES;
    }
    return (first & 1) != 0
        ? first >>> 1
        : ByteBuffer.wrap(tuple).order(ByteOrder.LITTLE_ENDIAN).getInt(start) >>> 2;
  }

  private static int align(int length, int to) {
    return (length + to - 1) / to * to;
  }
}
