package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * Small operations on pages that a WAL record changes without naming them: visibility-map bits
 * cleared by older minors, boundary pages of truncated maps, transaction status, multixacts, commit
 * timestamps. Each is a few bytes, made by {@code effects} of a resource manager and applied,
 * whatever the page's LSN and without moving it, when the page is read. Stateless.
 *
 * <pre>
 * op := 0                                                         ZERO: the page is zeros
 *     | 1, heapBlock varint, bits u8                              VM_CLEAR: bits (1 all visible, 2 all frozen) of one heap block
 *     | 2, heapBlocks varint                                      VM_TRUNCATE: nothing is kept from this heap block of the page on
 *     | 3, slots varint                                           FSM_TRUNCATE: nothing is kept from this slot of the page on
 *     | 4, status u8, count varint, entry u16 × count             XACT_STATUS: 0 to 3 for each entry (0..32767)
 *     | 5, entry varint, offset u32                               MULTIXACT_OFFSET: entry 0..2047
 *     | 6, first varint, count varint, {xid u32, status u8} × count    MULTIXACT_MEMBERS: entries from first on, 0..1635
 *     | 7, time i64, origin u16, count varint, entry u16 × count  COMMIT_TS: entries 0..818
 * </pre>
 *
 * <p>Blocks and entries count from the start of the page. See {@code docs/formats/derived-op.md}.
 * Follows PostgreSQL 17 {@code visibilitymap.c}, {@code freespace.c}, {@code fsmpage.c}, {@code
 * clog.c}, {@code multixact.c} and {@code commit_ts.c}.
 */
public final class DerivedOp {
  public static final int ZERO = 0;
  public static final int VM_CLEAR = 1;
  public static final int VM_TRUNCATE = 2;
  public static final int FSM_TRUNCATE = 3;
  public static final int XACT_STATUS = 4;
  public static final int MULTIXACT_OFFSET = 5;
  public static final int MULTIXACT_MEMBERS = 6;
  public static final int COMMIT_TS = 7;

  private DerivedOp() {}

  public static void encodeZero(ByteWriter out) {
    out.u8(ZERO);
  }

  /**
   * Clears visibility-map bits of a heap block; for the page {@link VisibilityMap#page} of it.
   *
   * @param bits 1: all visible, 2: all frozen, 3: both
   */
  public static void encodeVmClear(int heapBlock, int bits, ByteWriter out) {
    out.u8(VM_CLEAR);
    out.varint(VisibilityMap.entry(heapBlock));
    out.u8(bits);
  }

  /**
   * Clears what stands for heap blocks from {@code heapBlocks} on; for the page {@link
   * VisibilityMap#page} of it.
   */
  public static void encodeVmTruncate(int heapBlocks, ByteWriter out) {
    out.u8(VM_TRUNCATE);
    out.varint(VisibilityMap.entry(heapBlocks));
  }

  /** Clears the slots from {@code slots} of a bottom page on. */
  public static void encodeFsmTruncate(int slots, ByteWriter out) {
    out.u8(FSM_TRUNCATE);
    out.varint(slots);
  }

  /**
   * Sets the status of {@code count} transactions, all of one page.
   *
   * @param status 1: committed, 2: aborted
   */
  public static void encodeXactStatus(int status, int[] xids, int from, int count, ByteWriter out) {
    out.u8(XACT_STATUS);
    out.u8(status);
    out.varint(count);
    for (int i = from; i < from + count; i++) {
      out.u16(Slru.xactEntry(xids[i]));
    }
  }

  public static void encodeMultiXactOffset(int multi, int offset, ByteWriter out) {
    out.u8(MULTIXACT_OFFSET);
    out.varint(Slru.offsetsEntry(multi));
    out.i32(offset);
  }

  /**
   * Stores members, all of one page.
   *
   * @param members {@code count} times {xid u32, status u32}, as in the record
   */
  public static void encodeMultiXactMembers(
      int firstOffset, byte[] members, int from, int count, ByteWriter out) {
    out.u8(MULTIXACT_MEMBERS);
    out.varint(Slru.membersEntry(firstOffset));
    out.varint(count);
    for (int i = 0; i < count; i++) {
      out.bytes(members, from + i * 8, 5);
    }
  }

  /** Sets time and origin of {@code count} transactions, all of one page. */
  public static void encodeCommitTs(
      long time, int origin, int[] xids, int from, int count, ByteWriter out) {
    out.u8(COMMIT_TS);
    out.i64(time);
    out.u16(origin);
    out.varint(count);
    for (int i = from; i < from + count; i++) {
      out.u16(Slru.commitTsEntry(xids[i]));
    }
  }

  /**
   * Applies an operation to a page, in place.
   *
   * @throws RedoException when the operation is malformed
   */
  public static void apply(byte[] op, int offset, int length, byte[] page) {
    ByteReader in = new ByteReader("derived operation", op, offset, length);
    int kind = in.u8();
    switch (kind) {
      case ZERO -> Arrays.fill(page, 0, Page.SIZE, (byte) 0);
      case VM_CLEAR -> {
        int entry = entry(in.varintU32(), VisibilityMap.BLOCKS_PER_PAGE);
        VisibilityMap.clear(page, entry, in.u8());
      }
      case VM_TRUNCATE ->
          VisibilityMap.truncate(page, entry(in.varintU32(), VisibilityMap.BLOCKS_PER_PAGE));
      case FSM_TRUNCATE ->
          FreeSpaceMap.truncate(page, entry(in.varintU32(), FreeSpaceMap.SLOTS_PER_PAGE));
      case XACT_STATUS -> {
        int status = entry(in.u8(), 4);
        for (int count = in.varintU32(); count > 0; count--) {
          int entry = entry(in.u16(), Slru.XIDS_PER_XACT_PAGE);
          int shift = (entry & 3) * 2;
          page[entry >> 2] = (byte) (page[entry >> 2] & ~(3 << shift) | status << shift);
        }
      }
      case MULTIXACT_OFFSET -> {
        int entry = entry(in.varintU32(), Slru.OFFSETS_PER_PAGE);
        putI32(page, entry * 4, in.i32());
      }
      case MULTIXACT_MEMBERS -> {
        int entry = entry(in.varintU32(), Slru.MEMBERS_PER_PAGE);
        for (int count = in.varintU32(); count > 0; count--) {
          entry(entry, Slru.MEMBERS_PER_PAGE);
          putI32(page, Slru.memberXidOffset(entry), in.i32());
          page[Slru.memberStatusOffset(entry)] = (byte) in.u8();
          entry++;
        }
      }
      case COMMIT_TS -> {
        long time = in.i64();
        int origin = in.u16();
        for (int count = in.varintU32(); count > 0; count--) {
          int at = entry(in.u16(), Slru.COMMIT_TS_PER_PAGE) * Slru.COMMIT_TS_SIZE;
          putI64(page, at, time);
          putU16(page, at + 8, origin);
        }
      }
      default -> throw new RedoException("derived operation " + kind + " is not defined");
    }
    in.end();
  }

  private static int entry(int value, int limit) {
    if (value < 0 || value >= limit) {
      throw new RedoException(
          "derived operation: entry "
              + Integer.toUnsignedString(value)
              + " of a page with "
              + limit);
    }
    return value;
  }
}
