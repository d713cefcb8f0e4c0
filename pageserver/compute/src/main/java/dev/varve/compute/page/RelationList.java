package dev.varve.compute.page;

import java.util.Arrays;

/**
 * Relation forks of one database in one tablespace that exist at the LSN, in columns: 9 bytes each.
 * Any thread.
 */
public final class RelationList {
  public static final RelationList EMPTY = new RelationList(new int[0], new byte[0], new int[0], 0);

  private final int[] relations;
  private final byte[] forks;
  private final int[] blocks;
  private final int nextPosition;

  /**
   * @param forks the fork, and 16 times the fork whose pages it has
   * @param blocks lengths, unsigned
   * @param nextPosition where the list goes on; 0: it ends here
   */
  public RelationList(int[] relations, byte[] forks, int[] blocks, int nextPosition) {
    if (relations.length != forks.length || relations.length != blocks.length) {
      throw new IllegalArgumentException(
          "columns of %d, %d and %d values"
              .formatted(relations.length, forks.length, blocks.length));
    }
    for (byte fork : forks) {
      if ((fork & 0xCC) != 0) {
        throw new IllegalArgumentException("fork 0x" + Integer.toHexString(fork & 0xFF));
      }
    }
    this.relations = relations;
    this.forks = forks;
    this.blocks = blocks;
    this.nextPosition = nextPosition;
  }

  public int size() {
    return relations.length;
  }

  /** Where the list goes on; 0: it ends here. */
  public int nextPosition() {
    return nextPosition;
  }

  /** Unsigned. */
  public int relation(int index) {
    return relations[index];
  }

  /** As it is named in the directory. */
  public int fork(int index) {
    return forks[index] & 0xF;
  }

  /** The fork to ask for its pages; differs for the main fork of an unlogged relation. */
  public int sourceFork(int index) {
    return forks[index] >>> 4;
  }

  /** Length. */
  public long blocks(int index) {
    return Integer.toUnsignedLong(blocks[index]);
  }

  /** This list with another behind it. */
  public RelationList and(RelationList more) {
    int size = size() + more.size();
    int[] allRelations = Arrays.copyOf(relations, size);
    byte[] allForks = Arrays.copyOf(forks, size);
    int[] allBlocks = Arrays.copyOf(blocks, size);
    System.arraycopy(more.relations, 0, allRelations, size(), more.size());
    System.arraycopy(more.forks, 0, allForks, size(), more.size());
    System.arraycopy(more.blocks, 0, allBlocks, size(), more.size());
    return new RelationList(allRelations, allForks, allBlocks, more.nextPosition);
  }

  /** The same forks, by unsigned relation number. */
  public RelationList sorted() {
    long[] order = new long[size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = Integer.toUnsignedLong(relations[i]) << 31 | i;
    }
    Arrays.sort(order);
    int[] sortedRelations = new int[order.length];
    byte[] sortedForks = new byte[order.length];
    int[] sortedBlocks = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      int from = (int) order[i] & Integer.MAX_VALUE;
      sortedRelations[i] = relations[from];
      sortedForks[i] = forks[from];
      sortedBlocks[i] = blocks[from];
    }
    return new RelationList(sortedRelations, sortedForks, sortedBlocks, nextPosition);
  }

  /** Of a sorted list, the index of a fork; -1 when it is not there. */
  public int find(int relation, int fork) {
    int low = 0;
    int high = size();
    while (low < high) {
      int middle = low + high >>> 1;
      if (Integer.compareUnsigned(relations[middle], relation) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (int i = low; i < size() && relations[i] == relation; i++) {
      if (fork(i) == fork) {
        return i;
      }
    }
    return -1;
  }

  /** What it takes of the heap. */
  public long heapBytes() {
    return 9L * size() + 128;
  }
}
