package dev.varve.engine.timeline;

import java.util.Arrays;

/** Ids of the dictionary, four bytes each, since a database may have millions. One thread. */
final class IdList {
  private int[] ids = new int[64];
  private int size;

  void add(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = id;
  }

  int size() {
    return size;
  }

  /** Ascending. */
  int[] sorted() {
    int[] sorted = Arrays.copyOf(ids, size);
    Arrays.sort(sorted);
    return sorted;
  }
}
