package dev.varve.compute.settings;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * {@code pd_checksum} of a page that was changed here: 32 interleaved FNV-1a-like sums over its
 * 32-bit words, folded, mixed with the block number and reduced to 1 to 65535. Follows PostgreSQL
 * 17 {@code src/include/storage/checksum_impl.h}. The engine has its own, which a compute does not
 * know.
 */
final class PageChecksum {
  private static final int CHECKSUM = 8;
  private static final int SUMS = 32;
  private static final int PRIME = 16777619;

  private static final int[] SEEDS = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756
  };

  private PageChecksum() {}

  static void set(byte[] page, int block) {
    ByteBuffer words = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
    words.putShort(CHECKSUM, (short) 0);
    int[] sums = SEEDS.clone();
    for (int at = 0; at < page.length; at += SUMS * Integer.BYTES) {
      for (int i = 0; i < SUMS; i++) {
        sums[i] = step(sums[i], words.getInt(at + i * Integer.BYTES));
      }
    }
    int result = 0;
    for (int sum : sums) {
      result ^= step(step(sum, 0), 0);
    }
    words.putShort(CHECKSUM, (short) (Integer.remainderUnsigned(result ^ block, 65535) + 1));
  }

  private static int step(int sum, int word) {
    int mixed = sum ^ word;
    return mixed * PRIME ^ mixed >>> 17;
  }
}
