package dev.varve.engine.layer;

import java.util.Arrays;

/**
 * The entries of one key, from the newest to the oldest, until one that needs nothing older.
 * Collected from layer to layer; entries point into the arrays that the layers keep them in.
 * Reused; not thread-safe.
 */
public final class Chain {
  private static final byte[] NOTHING = new byte[0];

  private int size;
  private boolean complete;
  private ValueKind[] kinds = new ValueKind[16];
  private long[] lsns = new long[16];
  private byte[][] arrays = new byte[16][];
  private int[] offsets = new int[16];
  private int[] lengths = new int[16];

  /** Begins another chain; nothing of the one before is kept from the garbage collector. */
  public void clear() {
    Arrays.fill(arrays, 0, size, null);
    size = 0;
    complete = false;
  }

  /** Takes the oldest entries back, until {@code left} are there, of which none ends the chain. */
  public void cutTo(int left) {
    Arrays.fill(arrays, left, size, null);
    size = left;
    complete = false;
  }

  /** The page was zeros at {@code lsn}: entries older than that do not count. */
  public void beginWithZerosAt(long lsn) {
    int left = size;
    while (left > 0 && Long.compareUnsigned(lsns[left - 1], lsn) < 0) {
      left--;
    }
    if (left < size) {
      cutTo(left);
    }
    if (!complete) {
      add(ValueKind.ZERO_PAGE, lsn, NOTHING, 0, 0);
    }
  }

  /** Adds an older entry. */
  public void add(ValueKind kind, long lsn, byte[] bytes, int offset, int length) {
    if (size == kinds.length) {
      int more = size * 2;
      kinds = Arrays.copyOf(kinds, more);
      lsns = Arrays.copyOf(lsns, more);
      arrays = Arrays.copyOf(arrays, more);
      offsets = Arrays.copyOf(offsets, more);
      lengths = Arrays.copyOf(lengths, more);
    }
    kinds[size] = kind;
    lsns[size] = lsn;
    arrays[size] = bytes;
    offsets[size] = offset;
    lengths[size] = length;
    size++;
    complete |= kind.endsChain();
  }

  /** Whether an entry that needs nothing older is among them. */
  public boolean isComplete() {
    return complete;
  }

  public int size() {
    return size;
  }

  /** The kind of entry {@code index}; 0 is the newest. */
  public ValueKind kind(int index) {
    return kinds[index];
  }

  public long lsn(int index) {
    return lsns[index];
  }

  public byte[] bytes(int index) {
    return arrays[index];
  }

  public int offset(int index) {
    return offsets[index];
  }

  public int length(int index) {
    return lengths[index];
  }
}
