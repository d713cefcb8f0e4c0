package dev.varve.engine.tree;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory of open and frozen layers, of all timelines of a pageserver together. What a timeline
 * has there becomes a file within the age of an open layer, so a full memory is free again soon,
 * unless the disk refuses; until then WAL waits at its source. Any thread.
 */
public final class LayerMemory {
  private final long limitBytes;
  private final AtomicLong bytes = new AtomicLong();

  /**
   * @param limitBytes beyond which WAL waits; a record that is being taken in may exceed it
   */
  public LayerMemory(long limitBytes) {
    this.limitBytes = limitBytes;
  }

  /** In use now. */
  public long bytes() {
    return bytes.get();
  }

  long limitBytes() {
    return limitBytes;
  }

  public boolean isFull() {
    return bytes.get() >= limitBytes;
  }

  public void add(long more) {
    bytes.addAndGet(more);
  }

  public void release(long less) {
    bytes.addAndGet(-less);
  }
}
