package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.ForkNumber;

/**
 * The slim form of a WAL record: what redo of <em>one</em> of its blocks, the target, needs. It has
 * the main data, as far as redo needs it, and the target's data; of the other blocks id, flags,
 * fork and block number; no locators, no images. The LSN is not in it: it is the version under
 * which the form is stored. Stateless.
 *
 * <pre>
 * slim   := rmid u8, infoBits u8, xid u32, target, mainLength varint, [count u8, other × count], main, data
 * infoBits := high nibble: info; 0x1 FORCED, 0x2 OTHERS: the record has other blocks
 * target := block
 * other  := block                                     ids ascending
 * block  := id u8 (0..32), forkFlags u8, number varint
 * forkFlags := low nibble: fork (0..3); 0x10 HAS_IMAGE, 0x20 HAS_DATA, 0x40 WILL_INIT, as in the record
 * data   := the rest: the target's data
 * </pre>
 *
 * <p>See {@code docs/formats/block-record.md}.
 */
public final class BlockRecord {
  private static final int INFO_BITS = 1;

  private static final int FORCED = 0x1;
  private static final int OTHERS = 0x2;
  private static final int FLAGS = WalRecord.WILL_INIT | WalRecord.HAS_DATA | WalRecord.HAS_IMAGE;

  private BlockRecord() {}

  /**
   * Appends the slim form of {@code record} for its block {@code blockId}.
   *
   * @param mainLength how much of the main data, from its start on, redo needs
   * @param forced whether it is applied whatever the page's LSN: after an image from the same
   *     record
   */
  public static void encode(
      WalRecord record, int blockId, int mainLength, boolean forced, ByteWriter out) {
    int others = 0;
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (id != blockId && record.blockPresent[id]) {
        others++;
      }
    }
    out.u8(record.rmid);
    out.u8(record.info | (forced ? FORCED : 0) | (others > 0 ? OTHERS : 0));
    out.i32(record.xid);
    block(record, blockId, out);
    out.varint(mainLength);
    if (others > 0) {
      out.u8(others);
      for (int id = 0; id <= record.maxBlockId; id++) {
        if (id != blockId && record.blockPresent[id]) {
          block(record, id, out);
        }
      }
    }
    out.bytes(record.bytes, record.mainOffset, mainLength);
    out.bytes(record.bytes, record.blockDataOffset[blockId], record.blockDataLength[blockId]);
  }

  private static void block(WalRecord record, int id, ByteWriter out) {
    out.u8(id);
    out.u8(record.blockFork[id] | record.blockFlags[id]);
    out.varintU32(record.blockNumber[id]);
  }

  /**
   * Fills {@code record} from a slim form. Its {@code bytes} are those of the form.
   *
   * @return the target's block id
   * @throws PageserverException.Corrupt when the form is malformed; the record's contents are
   *     undefined then
   */
  public static int decode(byte[] bytes, int offset, int length, long endLsn, WalRecord record) {
    ByteReader in = new ByteReader("slim record", bytes, offset, length);
    record.clear();
    record.bytes = bytes;
    record.startLsn = 0;
    record.endLsn = endLsn;
    record.prevLsn = 0;
    record.length = 0;
    record.rmid = in.u8();
    int infoBits = in.u8();
    record.info = infoBits & 0xF0;
    record.xid = in.i32();
    int target = in.u8();
    // Blocks come target first; maxBlockId is set at once to the highest possible so that clear()
    // reaches them all if decoding fails.
    record.maxBlockId = WalRecord.MAX_BLOCKS - 1;
    int highest = target;
    block(in, target, record);
    int mainLength = in.varintLength();
    if ((infoBits & OTHERS) != 0) {
      int count = in.u8();
      int previous = -1;
      for (int i = 0; i < count; i++) {
        int id = in.u8();
        if (id <= previous || id == target) {
          throw new PageserverException.Corrupt("slim record: block id " + id + " out of order");
        }
        block(in, id, record);
        previous = id;
      }
      highest = Math.max(highest, previous);
    }
    if ((infoBits & 0x0F & ~(FORCED | OTHERS)) != 0) {
      throw new PageserverException.Corrupt(
          "slim record: info bits 0x" + Integer.toHexString(infoBits));
    }
    record.mainOffset = in.skip(mainLength);
    record.mainLength = mainLength;
    record.blockDataLength[target] = in.remaining();
    record.blockDataOffset[target] = in.position();
    if ((in.remaining() != 0) != ((record.blockFlags[target] & WalRecord.HAS_DATA) != 0)) {
      throw new PageserverException.Corrupt(
          "slim record: " + in.remaining() + " bytes of data and the flag for it disagree");
    }
    record.maxBlockId = highest;
    return target;
  }

  private static void block(ByteReader in, int id, WalRecord record) {
    int forkFlags = in.u8();
    int fork = forkFlags & 0x0F;
    int flags = forkFlags & 0xF0;
    if (id >= WalRecord.MAX_BLOCKS || fork >= ForkNumber.COUNT || (flags & ~FLAGS) != 0) {
      throw new PageserverException.Corrupt(
          "slim record: block id "
              + id
              + " with fork and flags 0x"
              + Integer.toHexString(forkFlags));
    }
    record.blockPresent[id] = true;
    record.blockFlags[id] = flags;
    record.blockFork[id] = fork;
    record.blockNumber[id] = in.varintU32();
  }

  /**
   * Whether the slim form is to be applied whatever the page's LSN: after an image from the same
   * record.
   */
  public static boolean isForced(byte[] bytes, int offset) {
    return (u8(bytes, offset + INFO_BITS) & FORCED) != 0;
  }
}
