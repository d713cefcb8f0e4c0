package dev.varve.engine.timeline;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.ValueKind;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The newest changes of a timeline, in memory: an arena of entries, chained per key from newest to
 * oldest, and a hash table from key to the newest. One writer appends; any number of readers follow
 * chains at the same time. A reader first reads the timeline's received LSN, which the writer
 * publishes after a record's entries, and ignores entries above the LSN it reads at.
 *
 * <p>Covers the LSNs above {@link #startLsn} up to {@link #endLsn}. Entries come in ascending LSN
 * order. When it has grown or aged enough it is frozen: nobody writes any more, and it becomes a
 * delta layer.
 *
 * <p>An entry: u64 address of the key's previous entry (0: none), u64 LSN, u8 kind, u32 length,
 * bytes. An address is the chunk's number plus one in the high half and the offset in the low half.
 */
final class OpenLayer {
  private static final VarHandle ELEMENT = MethodHandles.arrayElementVarHandle(long[].class);

  /** With an array's header not above 1 MiB: beyond it G1 takes two regions. */
  private static final int CHUNK_BYTES = (1 << 20) - 64;

  private static final int FIRST_CHUNK_BYTES = 64 << 10;
  private static final int ENTRY_HEADER = 21;
  private static final ValueKind[] KINDS = ValueKind.values();

  private record Table(long[] keys, long[] heads) {
    static Table ofCapacity(int capacity) {
      return new Table(new long[capacity], new long[capacity]);
    }

    static int slot(long key, int mask) {
      long h = key * 0x9E3779B97F4A7C15L;
      return (int) (h >>> 32) & mask;
    }
  }

  private final long startLsn;
  private final long createdNanos;
  private final LayerMemory memory;
  private final AtomicLong accountedBytes = new AtomicLong();
  private volatile Table table = Table.ofCapacity(1 << 12);
  private int keyCount;
  private volatile byte[][] chunks = new byte[16][];
  private int chunkCount;
  private int chunkUsed;
  private byte[] chunk = new byte[0];

  /**
   * Written by the writer only; other threads see it late, which is good enough for limits and
   * metrics.
   */
  private long bytes;

  private int entryCount;

  /** Record boundaries, as (LSN − startLsn) / 8. */
  private volatile int[] recordStarts = new int[1024];

  private volatile int[] recordEnds = new int[1024];
  private volatile int recordCount;
  private volatile long endLsn;

  /**
   * @param memory what it takes is counted there, but for what an empty one has
   */
  OpenLayer(long startLsn, long nowNanos, LayerMemory memory) {
    this.memory = memory;
    this.startLsn = startLsn;
    this.endLsn = startLsn;
    this.createdNanos = nowNanos;
  }

  long startLsn() {
    return startLsn;
  }

  /** The end of the last record whose entries are all here. */
  long endLsn() {
    return endLsn;
  }

  long createdNanos() {
    return createdNanos;
  }

  /** Memory in use, about. */
  long bytes() {
    return bytes;
  }

  int entryCount() {
    return entryCount;
  }

  int recordCount() {
    return recordCount;
  }

  boolean isEmpty() {
    return recordCount == 0;
  }

  /** Appends an entry. Writer only; {@code lsn} is not below any earlier one's. */
  void put(long key, long lsn, ValueKind kind, byte[] source, int offset, int length) {
    int size = ENTRY_HEADER + length;
    if (chunkUsed + size > chunk.length) {
      addChunk(size);
    }
    int at = chunkUsed;
    Table current = table;
    int mask = current.keys.length - 1;
    int slot = Table.slot(key, mask);
    long present;
    while ((present = current.keys[slot]) != key && present != 0) {
      slot = slot + 1 & mask;
    }
    LittleEndian.putI64(chunk, at, present == 0 ? 0 : current.heads[slot]);
    LittleEndian.putI64(chunk, at + 8, lsn);
    chunk[at + 16] = (byte) kind.ordinal();
    LittleEndian.putI32(chunk, at + 17, length);
    System.arraycopy(source, offset, chunk, at + ENTRY_HEADER, length);
    chunkUsed += size;
    ELEMENT.setRelease(current.heads, slot, (long) chunkCount << 32 | at);
    if (present == 0) {
      ELEMENT.setRelease(current.keys, slot, key);
      if (++keyCount * 2 > current.keys.length) {
        grow(current);
      }
    }
    bytes += size;
    entryCount++;
  }

  /**
   * The record whose entries were just put ends here: it becomes a boundary that an image can be
   * made at. Writer only.
   */
  void endRecord(long recordStartLsn, long recordEndLsn) {
    int at = recordCount;
    if (at == recordEnds.length) {
      recordStarts = Arrays.copyOf(recordStarts, at * 2);
      recordEnds = Arrays.copyOf(recordEnds, at * 2);
      account(8L * at);
    }
    recordStarts[at] = (int) (recordStartLsn - startLsn >>> 3);
    recordEnds[at] = (int) (recordEndLsn - startLsn >>> 3);
    recordCount = at + 1;
    endLsn = recordEndLsn;
    bytes += 8;
  }

  private void account(long more) {
    accountedBytes.addAndGet(more);
    memory.add(more);
  }

  /** Nobody will ask for it any more. May be repeated; not while it is written to. */
  void release() {
    memory.release(accountedBytes.getAndSet(0));
  }

  /** Whether boundaries further on still fit the 35-bit distance from the start. */
  boolean reaches(long lsn) {
    return lsn - startLsn >>> 3 < 1L << 31;
  }

  private void addChunk(int needed) {
    // The first one is small: most timelines of many have little to say between two files.
    chunk = new byte[Math.max(chunkCount == 0 ? FIRST_CHUNK_BYTES : CHUNK_BYTES, needed)];
    account(chunk.length);
    if (chunkCount == chunks.length) {
      chunks = Arrays.copyOf(chunks, chunkCount * 2);
    }
    byte[][] arena = chunks;
    arena[chunkCount++] = chunk;
    // The volatile write publishes the element.
    chunks = arena;
    chunkUsed = 0;
  }

  private void grow(Table old) {
    Table grown = Table.ofCapacity(old.keys.length * 2);
    int mask = grown.keys.length - 1;
    for (int i = 0; i < old.keys.length; i++) {
      long key = old.keys[i];
      if (key != 0) {
        int slot = Table.slot(key, mask);
        while (grown.keys[slot] != 0) {
          slot = slot + 1 & mask;
        }
        grown.keys[slot] = key;
        grown.heads[slot] = old.heads[i];
      }
    }
    bytes += 16L * old.keys.length;
    account(16L * old.keys.length);
    table = grown;
  }

  /**
   * Adds the key's entries at or below {@code maxLsn} to the chain, newest first, until it is
   * complete.
   */
  void collect(long key, long maxLsn, Chain chain) {
    Table current = table;
    int mask = current.keys.length - 1;
    int slot = Table.slot(key, mask);
    long present;
    while ((present = (long) ELEMENT.getAcquire(current.keys, slot)) != key) {
      if (present == 0) {
        return;
      }
      slot = slot + 1 & mask;
    }
    long address = (long) ELEMENT.getAcquire(current.heads, slot);
    byte[][] arena = chunks;
    while (address != 0 && !chain.isComplete()) {
      byte[] in = arena[(int) (address >>> 32) - 1];
      int at = (int) address;
      long lsn = LittleEndian.i64(in, at + 8);
      if (Long.compareUnsigned(lsn, maxLsn) <= 0) {
        chain.add(KINDS[in[at + 16]], lsn, in, at + ENTRY_HEADER, LittleEndian.i32(in, at + 17));
      }
      address = LittleEndian.i64(in, at);
    }
  }

  /** Every key, ascending as unsigned. For a frozen layer. */
  long[] sortedKeys() {
    Table current = table;
    long[] keys = new long[keyCount];
    int n = 0;
    for (long key : current.keys) {
      if (key != 0) {
        keys[n++] = key;
      }
    }
    // Relation ids stay below 2^31, so that signed order is unsigned order.
    Arrays.sort(keys);
    return keys;
  }

  /**
   * Adds all entries of a key to {@code chain}, whether or not it is complete in between. For a
   * frozen layer.
   */
  void collectAll(long key, Chain chain) {
    Table current = table;
    int mask = current.keys.length - 1;
    int slot = Table.slot(key, mask);
    while (current.keys[slot] != key) {
      slot = slot + 1 & mask;
    }
    long address = current.heads[slot];
    while (address != 0) {
      byte[] in = chunks[(int) (address >>> 32) - 1];
      int at = (int) address;
      chain.add(
          KINDS[in[at + 16]],
          LittleEndian.i64(in, at + 8),
          in,
          at + ENTRY_HEADER,
          LittleEndian.i32(in, at + 17));
      address = LittleEndian.i64(in, at);
    }
  }

  /** The last record that ends at or before {@code lsn}, or null when there is none here. */
  @Nullable RecordBoundary boundaryAtOrBefore(long lsn) {
    int count = recordCount;
    int[] ends = recordEnds;
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = low + high >>> 1;
      if (Long.compareUnsigned(recordEnd(ends, middle), lsn) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == 0 ? null : boundary(low - 1);
  }

  /** Boundary {@code index} of {@link #recordCount}. */
  RecordBoundary boundary(int index) {
    return new RecordBoundary(
        startLsn + ((long) recordStarts[index] << 3), recordEnd(recordEnds, index));
  }

  private long recordEnd(int[] ends, int index) {
    return startLsn + ((long) ends[index] << 3);
  }
}
