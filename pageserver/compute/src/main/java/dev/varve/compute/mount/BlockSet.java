package dev.varve.compute.mount;

/**
 * The blocks of one segment (0 to 131071) that are local. Not thread-safe: guarded by its file's
 * lock. Grows as needed, 16 kB at most.
 */
final class BlockSet {
  static final int SEGMENT_BLOCKS = 131_072;

  private long[] words;

  BlockSet() {
    this(new long[0]);
  }

  BlockSet(long[] words) {
    this.words = words;
  }

  boolean contains(int block) {
    int word = block >>> 6;
    return word < words.length && (words[word] & (1L << block)) != 0;
  }

  boolean isEmpty() {
    for (long word : words) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }

  void add(int first, int count) {
    int lastWord = (first + count - 1) >>> 6;
    if (lastWord >= words.length) {
      words =
          java.util.Arrays.copyOf(
              words, Math.max(lastWord + 1, Math.min(words.length * 2, SEGMENT_BLOCKS / 64)));
    }
    for (int block = first; block < first + count; block++) {
      words[block >>> 6] |= 1L << block;
    }
  }

  long[] words() {
    return words.clone();
  }
}
