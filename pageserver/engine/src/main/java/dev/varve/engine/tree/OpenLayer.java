package dev.varve.engine.tree;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.redo.RedoException;
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
 *
 * <p>A key's entries lie side by side in runs, so that following a chain does not cost a cache miss
 * for each of them. A key's first run has room for one entry, each further one twice as many bytes
 * as the one before, up to {@link #MAX_RUN_BYTES}.
 */
public final class OpenLayer {
  private static final VarHandle ELEMENT = MethodHandles.arrayElementVarHandle(long[].class);

  /** With an array's header not above 1 MiB: beyond it G1 takes two regions. */
  private static final int CHUNK_BYTES = (1 << 20) - 64;

  private static final int FIRST_CHUNK_BYTES = 64 << 10;
  private static final int ENTRY_HEADER = 21;

  /** The bits of an address that say in which chunk. */
  private static final long CHUNK_NUMBER = 0xFFFF_FFFFL << 32;

  private static final ValueKind[] KINDS = ValueKind.values();

  /** What one layer may always take. */
  private static final long MIN_LIMIT_BYTES = 64 << 20;

  /** What a run grows to; a longer entry has one for itself. */
  private static final int MAX_RUN_BYTES = 1 << 10;

  /**
   * The hash table from key to its newest entry. What belongs to a key lies side by side, as it is
   * in no cache: the key (0: none), the address of its newest entry, and for the writer where that
   * entry ends, how many bytes its run has left (16 bits) and how many the run has (16 bits).
   */
  private record Table(long[] slots, int mask) {
    static final int KEY = 0;
    static final int HEAD = 1;
    static final int RUN = 2;
    private static final int WIDTH = 3;

    static Table ofCapacity(int capacity) {
      return new Table(new long[WIDTH * capacity], capacity - 1);
    }

    int capacity() {
      return mask + 1;
    }

    /** Where a key is looked for first. */
    int first(long key) {
      return WIDTH * ((int) (key * 0x9E3779B97F4A7C15L >>> 32) & mask);
    }

    int next(int slot) {
      return slot == WIDTH * mask ? 0 : slot + WIDTH;
    }

    /** The key's slot; 0 is there when it has none yet. For the writer, and for a frozen layer. */
    int find(long key) {
      int slot = first(key);
      long present;
      while ((present = slots[slot + KEY]) != key && present != 0) {
        slot = next(slot);
      }
      return slot;
    }

    /** The address of the key's newest entry, 0 when it has none; for readers beside the writer. */
    long head(long key) {
      int slot = first(key);
      long present;
      while ((present = (long) ELEMENT.getAcquire(slots, slot + KEY)) != key) {
        if (present == 0) {
          return 0;
        }
        slot = next(slot);
      }
      return (long) ELEMENT.getAcquire(slots, slot + HEAD);
    }

    Table doubled() {
      Table larger = ofCapacity(2 * capacity());
      for (int slot = 0; slot < slots.length; slot += WIDTH) {
        if (slots[slot + KEY] != 0) {
          System.arraycopy(slots, slot, larger.slots, larger.find(slots[slot + KEY]), WIDTH);
        }
      }
      return larger;
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
  private int chunkLength;

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
  public OpenLayer(long startLsn, long nowNanos, LayerMemory memory) {
    this.memory = memory;
    this.startLsn = startLsn;
    this.endLsn = startLsn;
    this.createdNanos = nowNanos;
  }

  public long startLsn() {
    return startLsn;
  }

  /** The end of the last record whose entries are all here. */
  public long endLsn() {
    return endLsn;
  }

  public long createdNanos() {
    return createdNanos;
  }

  /** Memory in use, about: without what the runs have left. */
  public long bytes() {
    return bytes;
  }

  public int entryCount() {
    return entryCount;
  }

  public int recordCount() {
    return recordCount;
  }

  public boolean isEmpty() {
    return recordCount == 0;
  }

  /** Appends an entry. Writer only; {@code lsn} is not below any earlier one's. */
  public void put(long key, long lsn, ValueKind kind, byte[] source, int offset, int length) {
    int size = ENTRY_HEADER + length;
    Table current = table;
    long[] slots = current.slots;
    int slot = current.find(key);
    boolean isNew = slots[slot + Table.KEY] == 0;
    long head = slots[slot + Table.HEAD];
    long run = slots[slot + Table.RUN];
    int runBytes = (int) run & 0xFFFF;
    int left = (int) run >>> 16;
    long address = head & CHUNK_NUMBER | run >>> 32;
    if (size > left) {
      runBytes = Math.max(size, Math.min(2 * runBytes, MAX_RUN_BYTES));
      left = runBytes;
      address = takeRun(runBytes);
    }
    byte[] in = chunks[(int) (address >>> 32) - 1];
    int at = (int) address;
    LittleEndian.putI64(in, at, head);
    LittleEndian.putI64(in, at + 8, lsn);
    in[at + 16] = (byte) kind.ordinal();
    LittleEndian.putI32(in, at + 17, length);
    System.arraycopy(source, offset, in, at + ENTRY_HEADER, length);
    left -= size;
    slots[slot + Table.RUN] =
        (long) (at + size) << 32 | left << 16 | Math.min(runBytes, MAX_RUN_BYTES);
    ELEMENT.setRelease(slots, slot + Table.HEAD, address);
    if (isNew) {
      ELEMENT.setRelease(slots, slot + Table.KEY, key);
      if (++keyCount * 2 > current.capacity()) {
        grow(current);
      }
    }
    bytes += size;
    entryCount++;
  }

  /** Where a run of this many bytes begins, in the newest chunk. */
  private long takeRun(int size) {
    if (chunkUsed + size > chunkLength) {
      addChunk(size);
    }
    long address = (long) chunkCount << 32 | chunkUsed;
    chunkUsed += size;
    return address;
  }

  /**
   * The record whose entries were just put ends here: it becomes a boundary that an image can be
   * made at. Writer only.
   */
  public void endRecord(long recordStartLsn, long recordEndLsn) {
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

  /**
   * A layer is frozen long before it has all the memory there is, but in the middle of a record.
   */
  private void account(long more) {
    long taken = accountedBytes.addAndGet(more);
    memory.add(more);
    if (taken > Math.max(memory.limitBytes(), MIN_LIMIT_BYTES)) {
      throw new RedoException(
          "its effects take more than the "
              + memory.limitBytes()
              + " bytes of memory that all layers may have: raise varve.engine.layer-memory-size,"
              + " and the heap with it");
    }
  }

  /** Nobody will ask for it any more. May be repeated; not while it is written to. */
  void release() {
    memory.release(accountedBytes.getAndSet(0));
  }

  /** Whether boundaries further on still fit the 35-bit distance from the start. */
  public boolean reaches(long lsn) {
    return lsn - startLsn >>> 3 < 1L << 31;
  }

  private void addChunk(int needed) {
    // The first one is small: most timelines of many have little to say between two files.
    chunkLength = Math.max(chunkCount == 0 ? FIRST_CHUNK_BYTES : CHUNK_BYTES, needed);
    account(chunkLength);
    if (chunkCount == chunks.length) {
      chunks = Arrays.copyOf(chunks, chunkCount * 2);
    }
    byte[][] arena = chunks;
    arena[chunkCount++] = new byte[chunkLength];
    // The volatile write publishes the element.
    chunks = arena;
    chunkUsed = 0;
  }

  private void grow(Table old) {
    bytes += 8L * old.slots.length;
    account(8L * old.slots.length);
    table = old.doubled();
  }

  /**
   * Adds the key's entries at or below {@code maxLsn} to the chain, newest first, until it is
   * complete.
   */
  void collect(long key, long maxLsn, Chain chain) {
    long address = table.head(key);
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
  public long[] sortedKeys() {
    Table current = table;
    long[] keys = new long[keyCount];
    int n = 0;
    for (int slot = Table.KEY; slot < current.slots.length; slot += Table.WIDTH) {
      if (current.slots[slot] != 0) {
        keys[n++] = current.slots[slot];
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
  public void collectAll(long key, Chain chain) {
    long address = table.head(key);
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
  public RecordBoundary boundary(int index) {
    return new RecordBoundary(
        startLsn + ((long) recordStarts[index] << 3), recordEnd(recordEnds, index));
  }

  private long recordEnd(int[] ends, int index) {
    return startLsn + ((long) ends[index] << 3);
  }
}
