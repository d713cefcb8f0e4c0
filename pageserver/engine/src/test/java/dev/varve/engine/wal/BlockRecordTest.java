package dev.varve.engine.wal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.FormatExample;
import dev.varve.engine.bytes.ByteWriter;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockRecordTest {
  private static byte[] slice(byte[] bytes, int offset, int length) {
    return Arrays.copyOfRange(bytes, offset, offset + length);
  }

  @Test
  void keepsWhatRedoOfOneBlockNeeds() {
    WalRecord whole = new WalRecord();
    WalRecord slim = new WalRecord();
    ByteWriter out = new ByteWriter();
    for (int seed = 0; seed < 3000; seed++) {
      Random random = new Random(seed);
      byte[] record = WalDecoderFuzzTest.randomRecord(random);
      RecordParser.parse(record, 0, record.length, 0x100, 0x1000, whole);
      for (int target = 0; target <= whole.maxBlockId; target++) {
        if (!whole.hasBlock(target)) {
          continue;
        }
        boolean forced = random.nextBoolean();
        out.reset();
        out.u8(0x77);
        BlockRecord.encode(whole, target, whole.mainLength, forced, out);
        assertEquals(target, BlockRecord.decode(out.array(), 1, out.length() - 1, 0x1000, slim));
        assertEquals(forced, BlockRecord.isForced(out.array(), 1));
        check(whole, slim, target);
      }
    }
  }

  private static void check(WalRecord whole, WalRecord slim, int target) {
    assertEquals(whole.rmid, slim.rmid);
    assertEquals(whole.info, slim.info);
    assertEquals(whole.xid, slim.xid);
    assertEquals(whole.endLsn, slim.endLsn);
    assertEquals(whole.maxBlockId, slim.maxBlockId);
    assertArrayEquals(
        slice(whole.bytes, whole.mainOffset, whole.mainLength),
        slice(slim.bytes, slim.mainOffset, slim.mainLength));
    assertArrayEquals(
        slice(whole.bytes, whole.blockDataOffset[target], whole.blockDataLength[target]),
        slice(slim.bytes, slim.blockDataOffset[target], slim.blockDataLength[target]));
    for (int id = 0; id < WalRecord.MAX_BLOCKS; id++) {
      assertEquals(whole.hasBlock(id), slim.hasBlock(id));
      assertEquals(whole.blockFlags[id], slim.blockFlags[id]);
      assertEquals(whole.blockFork[id], slim.blockFork[id]);
      assertEquals(whole.blockNumber[id], slim.blockNumber[id]);
      assertFalse(slim.blockImageApplies[id]);
      assertEquals(0, slim.blockImageLength[id]);
      assertTrue(id == target || slim.blockDataLength[id] == 0);
    }
  }

  @Test
  void documentedExample() {
    byte[] bytes = FormatExample.read("block-record.md", "example");
    WalRecord record = new WalRecord();
    assertEquals(0, BlockRecord.decode(bytes, 0, bytes.length, 0x16B_3748L, record));
    assertEquals(10, record.rmid);
    assertEquals(0x20, record.info);
    assertEquals(752, record.xid);
    assertFalse(BlockRecord.isForced(bytes, 0));
    assertEquals(300, record.blockNumber[0]);
    assertEquals(WalRecord.HAS_DATA, record.blockFlags[0]);
    assertEquals(1, record.maxBlockId);
    assertEquals(12, record.blockNumber[1]);
    assertEquals(0, record.blockFlags[1]);
    assertEquals(14, record.mainLength);
    assertEquals(9, record.blockDataLength[0]);
    ByteWriter out = new ByteWriter();
    BlockRecord.encode(record, 0, record.mainLength, false, out);
    assertArrayEquals(bytes, out.toByteArray());
  }
}
