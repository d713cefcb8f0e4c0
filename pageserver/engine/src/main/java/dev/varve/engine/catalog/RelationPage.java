package dev.varve.engine.catalog;

import java.util.Arrays;

/** Forks of a listing, in columns: 9 bytes each. Filled by one thread, then read by any. */
public final class RelationPage {
  private final int nextPosition;
  private int[] relationNumbers;
  private int[] blocks;
  private byte[] forks;
  private int size;

  RelationPage(int nextPosition, int expected) {
    this.nextPosition = nextPosition;
    this.relationNumbers = new int[expected];
    this.blocks = new int[expected];
    this.forks = new byte[expected];
  }

  void add(int relationNumber, int fork, int forkBlocks, int sourceFork) {
    if (size == relationNumbers.length) {
      int more = size + (size >> 1) + 4;
      relationNumbers = Arrays.copyOf(relationNumbers, more);
      blocks = Arrays.copyOf(blocks, more);
      forks = Arrays.copyOf(forks, more);
    }
    relationNumbers[size] = relationNumber;
    blocks[size] = forkBlocks;
    forks[size] = (byte) (fork | sourceFork << 4);
    size++;
  }

  /** Where the next page goes on; 0: there is none. */
  public int nextPosition() {
    return nextPosition;
  }

  public int size() {
    return size;
  }

  /** Unsigned. */
  public int relationNumber(int index) {
    return relationNumbers[index];
  }

  public int fork(int index) {
    return forks[index] & 0xF;
  }

  /** The fork whose pages it has: its own, but for the main fork of an unlogged relation. */
  public int sourceFork(int index) {
    return forks[index] >>> 4;
  }

  /** Its size, unsigned. */
  public int blocks(int index) {
    return blocks[index];
  }

  /** An object for one fork. */
  public RelationEntry entry(int index) {
    return new RelationEntry(relationNumber(index), fork(index), blocks(index), sourceFork(index));
  }

  /** The forks' column as it is sent: the fork, and 16 times the fork whose pages it has. */
  public byte[] forks() {
    return Arrays.copyOf(forks, size);
  }
}
