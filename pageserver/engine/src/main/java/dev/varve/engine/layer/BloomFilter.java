package dev.varve.engine.layer;

import java.util.Arrays;

/**
 * Tells of most keys that a layer does not have that it does not: ten bits a key, six probes, about
 * one wrong "maybe" in a hundred.
 */
final class BloomFilter {
  private static final int BITS_PER_KEY = 10;
  private static final int PROBES = 6;

  private final byte[] bits;

  BloomFilter(byte[] bits) {
    this.bits = bits;
  }

  /** Of distinct keys, the first {@code count} of the array. */
  static BloomFilter of(long[] keys, int count) {
    BloomFilter filter =
        new BloomFilter(new byte[(int) Math.max(8, ((long) count * BITS_PER_KEY + 7) / 8)]);
    for (int i = 0; i < count; i++) {
      long hash = hash(keys[i]);
      for (int probe = 0; probe < PROBES; probe++) {
        long bit = filter.bit(hash, probe);
        filter.bits[(int) (bit >>> 3)] |= (byte) (1 << (bit & 7));
      }
    }
    return filter;
  }

  byte[] bytes() {
    return Arrays.copyOf(bits, bits.length);
  }

  int length() {
    return bits.length;
  }

  boolean mightContain(long key) {
    long hash = hash(key);
    for (int probe = 0; probe < PROBES; probe++) {
      long bit = bit(hash, probe);
      if ((bits[(int) (bit >>> 3)] & 1 << (bit & 7)) == 0) {
        return false;
      }
    }
    return true;
  }

  private long bit(long hash, int probe) {
    long mixed = hash + probe * (hash >>> 32 | 1);
    return Long.remainderUnsigned(mixed, bits.length * 8L);
  }

  private static long hash(long key) {
    long h = key * 0x9E3779B97F4A7C15L;
    h = (h ^ h >>> 32) * 0xD6E8FEB86659FD93L;
    return h ^ h >>> 29;
  }
}
