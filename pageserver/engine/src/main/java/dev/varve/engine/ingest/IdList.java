package dev.varve.engine.ingest;

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

  /** Ascending, each once. */
  int[] sorted() {
    Arrays.sort(ids, 0, size);
    int kept = 0;
    for (int i = 0; i < size; i++) {
      if (i == 0 || ids[i] != ids[i - 1]) {
        ids[kept++] = ids[i];
      }
    }
    size = kept;
    return Arrays.copyOf(ids, size);
  }
}
