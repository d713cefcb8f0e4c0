package dev.varve.engine.postgres;

import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;
import static dev.varve.engine.bytes.LittleEndian.u32;

import java.util.Arrays;

/**
 * The header of a PostgreSQL page and its line pointers, as accessors over a {@code byte[8192]}.
 * Follows PostgreSQL 17 {@code src/include/storage/bufpage.h} and {@code itemid.h}; the layout is
 * the same in 14 to 18.
 */
public final class Page {
  /** {@code BLCKSZ}: the one page size that is supported. */
  public static final int SIZE = 8192;

  public static final int HEADER_SIZE = 24;
  public static final int LSN = 0;
  public static final int CHECKSUM = 8;
  public static final int FLAGS = 10;
  public static final int LOWER = 12;
  public static final int UPPER = 14;
  public static final int SPECIAL = 16;
  public static final int PAGE_SIZE_VERSION = 18;
  public static final int PRUNE_XID = 20;

  public static final int HAS_FREE_LINES = 0x0001;
  public static final int PAGE_FULL = 0x0002;
  public static final int ALL_VISIBLE = 0x0004;

  private static final int SIZE_AND_LAYOUT_VERSION = SIZE | 4;

  private Page() {}

  /** {@code pd_lsn}: kept as two 32-bit halves, the high one first. */
  public static long lsn(byte[] page) {
    return Long.rotateLeft(i64(page, LSN), 32);
  }

  public static void setLsn(byte[] page, long lsn) {
    putI64(page, LSN, Long.rotateLeft(lsn, 32));
  }

  public static int lower(byte[] page) {
    return u16(page, LOWER);
  }

  public static int upper(byte[] page) {
    return u16(page, UPPER);
  }

  public static int special(byte[] page) {
    return u16(page, SPECIAL);
  }

  /** Whether the page was never initialised ({@code PageIsNew}): its upper pointer is zero. */
  public static boolean isNew(byte[] page) {
    return upper(page) == 0;
  }

  public static boolean hasFlag(byte[] page, int flag) {
    return (u16(page, FLAGS) & flag) != 0;
  }

  public static void setFlag(byte[] page, int flag) {
    putU16(page, FLAGS, u16(page, FLAGS) | flag);
  }

  public static void clearFlag(byte[] page, int flag) {
    putU16(page, FLAGS, u16(page, FLAGS) & ~flag);
  }

  /**
   * Zeroes the page and writes an empty header ({@code PageInit}); {@code specialSize} is rounded
   * up to a multiple of 8.
   */
  public static void init(byte[] page, int specialSize) {
    Arrays.fill(page, 0, SIZE, (byte) 0);
    int special = SIZE - ((specialSize + 7) & ~7);
    putU16(page, LOWER, HEADER_SIZE);
    putU16(page, UPPER, special);
    putU16(page, SPECIAL, special);
    putU16(page, PAGE_SIZE_VERSION, SIZE_AND_LAYOUT_VERSION);
  }

  /** How many line pointers there are; items are numbered from 1. */
  public static int itemCount(byte[] page) {
    int lower = lower(page);
    return lower <= HEADER_SIZE ? 0 : (lower - HEADER_SIZE) / 4;
  }

  /**
   * The raw line pointer of item {@code number}: offset in bits 0–14, flags in 15–16, length in
   * 17–31.
   */
  public static long itemId(byte[] page, int number) {
    return u32(page, itemIdOffset(number));
  }

  /** The offset of the line pointer itself. */
  public static int itemIdOffset(int number) {
    return HEADER_SIZE + (number - 1) * 4;
  }
}
