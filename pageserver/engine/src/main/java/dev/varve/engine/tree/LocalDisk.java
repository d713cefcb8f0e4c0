package dev.varve.engine.tree;

import java.io.IOException;
import java.util.Comparator;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * The layer files on a pageserver's disk, of all its timelines together. Those that are in the
 * object store as well are a cache within a bound: when it is exceeded, those that nobody read for
 * longest go first. Any thread.
 */
public final class LocalDisk {
  private record Candidate(LayerFile file, long unreadNanos) {}

  private final long limitBytes;
  private final Set<LayerFile> files = ConcurrentHashMap.newKeySet();
  private final AtomicLong bytes = new AtomicLong();
  private final LongAdder damaged = new LongAdder();

  /**
   * @param limitBytes for all files; those that the object store has not got stay all the same
   */
  public LocalDisk(long limitBytes) {
    this.limitBytes = limitBytes;
  }

  /** Bytes of all layer files on the disk. */
  public long bytes() {
    return bytes.get();
  }

  /** How many copies of published layers were found damaged, and dropped. */
  public long damagedCopies() {
    return damaged.sum();
  }

  void damaged() {
    damaged.increment();
  }

  boolean hasRoomFor(long more) {
    return bytes.get() + more <= limitBytes;
  }

  void added(LayerFile file) {
    if (files.add(file)) {
      bytes.addAndGet(file.descriptor().fileBytes());
    }
  }

  void removed(LayerFile file) {
    if (files.remove(file)) {
      bytes.addAndGet(-file.descriptor().fileBytes());
    }
  }

  /** Removes what exceeds the bound. */
  synchronized void shrink() throws IOException {
    if (hasRoomFor(0)) {
      return;
    }
    // Sorting needs ages that do not change meanwhile.
    long now = System.nanoTime();
    Iterator<Candidate> oldest =
        files.stream()
            .filter(LayerFile::isEvictable)
            .map(file -> new Candidate(file, now - file.lastReadNanos()))
            .sorted(Comparator.comparingLong(Candidate::unreadNanos).reversed())
            .iterator();
    while (!hasRoomFor(0) && oldest.hasNext()) {
      oldest.next().file().evict();
    }
  }
}
