package dev.varve.compute.mount;

/** A set of numbers other than 0, by open addressing: 8 to 32 bytes each. Not thread-safe. */
final class LongSet {
  private long[] slots = new long[8];
  private int size;

  int size() {
    return size;
  }

  boolean contains(long value) {
    return slots[slot(slots, value)] != 0;
  }

  void add(long value) {
    int slot = slot(slots, value);
    if (slots[slot] != 0) {
      return;
    }
    slots[slot] = value;
    size++;
    if (size > slots.length / 2) {
      long[] grown = new long[slots.length * 2];
      for (long one : slots) {
        if (one != 0) {
          grown[slot(grown, one)] = one;
        }
      }
      slots = grown;
    }
  }

  void remove(long value) {
    int mask = slots.length - 1;
    int slot = slot(slots, value);
    if (slots[slot] == 0) {
      return;
    }
    slots[slot] = 0;
    size--;
    // Those behind it may have been put there because it was in their way.
    for (int next = slot + 1 & mask; slots[next] != 0; next = next + 1 & mask) {
      long moved = slots[next];
      slots[next] = 0;
      slots[slot(slots, moved)] = moved;
    }
  }

  private static int slot(long[] in, long value) {
    int mask = in.length - 1;
    long mixed = value * 0x9E3779B97F4A7C15L;
    int slot = (int) (mixed >>> 32) & mask;
    while (in[slot] != 0 && in[slot] != value) {
      slot = slot + 1 & mask;
    }
    return slot;
  }

  /** Its members, in no order. */
  long[] values() {
    long[] found = new long[size];
    int at = 0;
    for (long one : slots) {
      if (one != 0) {
        found[at++] = one;
      }
    }
    return found;
  }
}
