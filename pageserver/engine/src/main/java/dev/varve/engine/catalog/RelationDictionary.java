package dev.varve.engine.catalog;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.tree.KeySpace;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Interns relation forks to dense ids, from {@link KeySpace#FIRST_RELATION} up. Ids are never given
 * twice, not even when a relation number is used again: a dropped relation's entry stays and only
 * its size says that it does not exist. One writer; any thread may look up, and sees every id that
 * was interned before the LSN it reads at was published.
 */
public final class RelationDictionary {
  private static final VarHandle SLOT = MethodHandles.arrayElementVarHandle(int[].class);

  /**
   * Length of an entry's encoding: four little-endian u32: tablespace, database, relation number,
   * fork.
   */
  public static final int ENTRY_BYTES = 16;

  private static final int FIRST = KeySpace.FIRST_RELATION;

  /**
   * Open addressing: slots hold ids, 0 is empty; columns are indexed by id − FIRST. Grown by
   * replacement.
   */
  private static final class Table {
    final int[] slots;
    final int[] tablespaces;
    final int[] databases;
    final int[] relations;
    final byte[] forks;

    Table(int capacity) {
      slots = new int[capacity * 2];
      tablespaces = new int[capacity];
      databases = new int[capacity];
      relations = new int[capacity];
      forks = new byte[capacity];
    }

    int find(int tablespace, int database, int relation, int fork) {
      int mask = slots.length - 1;
      for (int slot = hash(tablespace, database, relation, fork) & mask; ; slot = slot + 1 & mask) {
        int id = (int) SLOT.getAcquire(slots, slot);
        if (id == 0) {
          return -1;
        }
        int at = id - FIRST;
        if (relations[at] == relation
            && databases[at] == database
            && tablespaces[at] == tablespace
            && forks[at] == fork) {
          return id;
        }
      }
    }

    void insert(int id, int tablespace, int database, int relation, int fork) {
      int at = id - FIRST;
      tablespaces[at] = tablespace;
      databases[at] = database;
      relations[at] = relation;
      forks[at] = (byte) fork;
      int mask = slots.length - 1;
      int slot = hash(tablespace, database, relation, fork) & mask;
      while (slots[slot] != 0) {
        slot = slot + 1 & mask;
      }
      SLOT.setRelease(slots, slot, id);
    }

    private static int hash(int tablespace, int database, int relation, int fork) {
      int h = relation * 0x9E3779B9 + database * 0x85EBCA6B + tablespace * 31 + fork;
      return (h ^ h >>> 15) * 0x2C1B3C6D >>> 3;
    }
  }

  /**
   * The ids of one database directory, ascending. Grown by replacement; the writer publishes the
   * count last.
   */
  private static final class Directory {
    private volatile int[] ids = new int[16];
    private volatile int count;

    void add(int id) {
      int present = count;
      int[] current = ids;
      if (present == current.length) {
        current = Arrays.copyOf(current, present + (present >> 1) + 1);
      }
      current[present] = id;
      ids = current;
      count = present + 1;
    }

    /** Up to {@code limit} ids that are not below {@code from}. */
    int[] from(int from, int limit) {
      int present = count;
      int[] current = ids;
      int found = Arrays.binarySearch(current, 0, present, from);
      int start = found < 0 ? -found - 1 : found;
      return Arrays.copyOfRange(current, start, start + Math.min(present - start, limit));
    }
  }

  private final ConcurrentHashMap<Long, Directory> directories = new ConcurrentHashMap<>();
  private volatile Table table = new Table(1024);
  private volatile int count;

  /** The fork's id, or -1 when it was never seen. */
  public int find(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    return table.find(tablespaceOid, databaseOid, relationNumber, fork);
  }

  /** Adds a fork that {@link #find} does not know; returns its new id. */
  int add(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    Table current = table;
    int present = count;
    int id = FIRST + present;
    if (present == current.relations.length) {
      Table grown = new Table(present * 2);
      for (int at = 0; at < present; at++) {
        grown.insert(
            FIRST + at,
            current.tablespaces[at],
            current.databases[at],
            current.relations[at],
            current.forks[at]);
      }
      grown.insert(id, tablespaceOid, databaseOid, relationNumber, fork);
      table = grown;
    } else {
      current.insert(id, tablespaceOid, databaseOid, relationNumber, fork);
    }
    directories
        .computeIfAbsent(directoryKey(tablespaceOid, databaseOid), key -> new Directory())
        .add(id);
    count = present + 1;
    return id;
  }

  private static long directoryKey(int tablespaceOid, int databaseOid) {
    return (long) tablespaceOid << 32 | Integer.toUnsignedLong(databaseOid);
  }

  /**
   * Up to {@code limit} ids of forks that were ever seen in a database directory, ascending, from
   * {@code from} on; fewer when these are the last.
   */
  public int[] idsIn(int tablespaceOid, int databaseOid, int from, int limit) {
    @Nullable Directory directory = directories.get(directoryKey(tablespaceOid, databaseOid));
    return directory == null ? new int[0] : directory.from(from, limit);
  }

  /** The ids of all forks that were ever seen in a database directory, ascending. */
  public int[] idsIn(int tablespaceOid, int databaseOid) {
    return idsIn(tablespaceOid, databaseOid, FIRST, Integer.MAX_VALUE);
  }

  /** The ids of all forks that were ever seen in a tablespace. */
  public int[] idsIn(int tablespaceOid) {
    return directories.entrySet().stream()
        .filter(directory -> (int) (directory.getKey() >>> 32) == tablespaceOid)
        .flatMapToInt(
            directory -> Arrays.stream(directory.getValue().from(FIRST, Integer.MAX_VALUE)))
        .toArray();
  }

  /** One more than the highest id. */
  public int end() {
    return FIRST + count;
  }

  public RelFileLocator locator(int id) {
    Table current = table;
    int at = id - FIRST;
    return new RelFileLocator(
        current.tablespaces[at], current.databases[at], current.relations[at]);
  }

  public int fork(int id) {
    return table.forks[id - FIRST];
  }

  /** Writes the id's entry as it is kept under {@link KeySpace#DICTIONARY}. */
  public void encode(int id, byte[] target) {
    Table current = table;
    int at = id - FIRST;
    LittleEndian.putI32(target, 0, current.tablespaces[at]);
    LittleEndian.putI32(target, 4, current.databases[at]);
    LittleEndian.putI32(target, 8, current.relations[at]);
    LittleEndian.putI32(target, 12, current.forks[at]);
  }

  /** Adds the entry that {@link #encode} wrote; entries come in the order of their ids. */
  void load(byte[] entry) {
    if (entry.length != ENTRY_BYTES) {
      throw new IllegalArgumentException("dictionary entry of " + Arrays.toString(entry));
    }
    add(
        LittleEndian.i32(entry, 0),
        LittleEndian.i32(entry, 4),
        LittleEndian.i32(entry, 8),
        LittleEndian.i32(entry, 12));
  }

  /** Loads every entry that there is at {@code lsn}, unless that was done before. */
  public void loadAll(PageReader reader, long lsn) {
    for (int id = end(); id == end(); id++) {
      byte[] entry = reader.value(KeySpace.key(KeySpace.DICTIONARY, id), lsn);
      if (entry != null) {
        load(entry);
      }
    }
  }
}
