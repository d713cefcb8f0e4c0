package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.wal.WalRecord;

/** Makes decoded records with blocks by hand. */
final class BlockRecords {
  private BlockRecords() {}

  /**
   * Main data and the data of block {@code id}, which is the one to be redone; block n has number
   * 100 + n.
   */
  static WalRecord of(int rmid, int info, byte[] main, int id, byte[] data, int... others) {
    WalRecord record = new WalRecord();
    record.rmid = rmid;
    record.info = info;
    record.endLsn = 0x5000;
    record.bytes = new byte[main.length + data.length];
    System.arraycopy(main, 0, record.bytes, 0, main.length);
    System.arraycopy(data, 0, record.bytes, main.length, data.length);
    record.mainLength = main.length;
    present(record, id);
    for (int other : others) {
      present(record, other);
    }
    record.blockFlags[id] = data.length > 0 ? WalRecord.HAS_DATA : 0;
    record.blockDataOffset[id] = main.length;
    record.blockDataLength[id] = data.length;
    return record;
  }

  private static void present(WalRecord record, int id) {
    record.blockPresent[id] = true;
    record.blockNumber[id] = 100 + id;
    record.maxBlockId = Math.max(record.maxBlockId, id);
  }

  static byte[] u16s(int... values) {
    ByteWriter out = new ByteWriter();
    for (int value : values) {
      out.u16(value);
    }
    return out.toByteArray();
  }

  static byte[] i32s(int... values) {
    ByteWriter out = new ByteWriter();
    for (int value : values) {
      out.i32(value);
    }
    return out.toByteArray();
  }

  static byte[] join(byte[]... parts) {
    ByteWriter out = new ByteWriter();
    for (byte[] part : parts) {
      out.bytes(part);
    }
    return out.toByteArray();
  }

  /** A B-tree leaf tuple with an eight-byte key. */
  static byte[] tuple(long key, int block, int item) {
    ByteWriter out = new ByteWriter();
    out.u16(block >>> 16);
    out.u16(block & 0xFFFF);
    out.u16(item);
    out.u16(16);
    out.i64(key);
    return out.toByteArray();
  }
}
