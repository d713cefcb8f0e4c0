package dev.varve.engine.catalog;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.u8;

import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.tree.KeySpace;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Everything of a cluster that is not a page, as of the newest record: what ingest needs to
 * interpret the next one. Every change is also written as an entry, so that {@link ClusterView} can
 * read it back as of any LSN. Writer thread only.
 */
public final class ClusterState {
  /**
   * Where changes go: an entry of kind {@code VALUE} at the LSN of the record that is being
   * ingested.
   */
  public interface Journal {
    void value(long key, byte[] bytes, int length);
  }

  private static final byte[] EMPTY = new byte[0];

  private final Journal journal;
  private final RelationDictionary dictionary;
  private int[] sizes = new int[1024];
  private final Map<Integer, DatabaseDirectories> databases =
      new TreeMap<>(Integer::compareUnsigned);
  private final Map<Integer, String> tablespaces = new TreeMap<>(Integer::compareUnsigned);
  private final TreeSet<Integer> prepared = new TreeSet<>(Integer::compareUnsigned);
  private final TreeSet<Integer> origins = new TreeSet<>();
  private final SlruBounds[] slrus = new SlruBounds[KeySpace.SLRU_COUNT];
  private byte[] controlFile = EMPTY;
  private final byte[] checkPoint = new byte[CheckPoint.SIZE];
  private long nextXid;
  private final byte[] scratch = new byte[16];

  public ClusterState(Journal journal, RelationDictionary dictionary) {
    this.journal = journal;
    this.dictionary = dictionary;
    Arrays.fill(sizes, -1);
    Arrays.fill(slrus, SlruBounds.NONE);
  }

  // Relations

  /** The fork's id; interned, with no size yet, when it is new. */
  public int intern(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    int id = dictionary.find(tablespaceOid, databaseOid, relationNumber, fork);
    if (id < 0) {
      id = dictionary.add(tablespaceOid, databaseOid, relationNumber, fork);
      dictionary.encode(id, scratch);
      journal.value(KeySpace.key(KeySpace.DICTIONARY, id), scratch, RelationDictionary.ENTRY_BYTES);
    }
    return id;
  }

  /** Blocks of the fork, unsigned; -1 when it does not exist. */
  public int size(int relationId) {
    return relationId < sizes.length ? sizes[relationId] : -1;
  }

  /** Sets the fork's size; -1: it does not exist any more. */
  public void setSize(int relationId, int blocks) {
    loadSize(relationId, blocks);
    putI32(scratch, 0, blocks);
    journal.value(KeySpace.key(KeySpace.RELATION_SIZE, relationId), scratch, blocks == -1 ? 0 : 4);
  }

  public void loadSize(int relationId, int blocks) {
    if (relationId >= sizes.length) {
      int length = sizes.length;
      sizes = Arrays.copyOf(sizes, Math.max(length * 2, relationId + 1));
      Arrays.fill(sizes, length, sizes.length, -1);
    }
    sizes[relationId] = blocks;
  }

  // Databases and tablespaces

  public void putDatabase(int databaseOid, int tablespaceOid, byte @Nullable [] relationMap) {
    boolean isNew = !databases.containsKey(databaseOid);
    DatabaseDirectories changed =
        databases
            .getOrDefault(databaseOid, DatabaseDirectories.NONE)
            .with(tablespaceOid, relationMap);
    databases.put(databaseOid, changed);
    value(KeySpace.key(KeySpace.DATABASE, databaseOid), changed.encode());
    if (isNew) {
      writeDirectory(KeySpace.DATABASE, databases.keySet());
    }
  }

  public void dropDatabase(int databaseOid, int tablespaceOid) {
    DatabaseDirectories present = databases.get(databaseOid);
    if (present == null) {
      return;
    }
    DatabaseDirectories changed = present.without(tablespaceOid);
    value(KeySpace.key(KeySpace.DATABASE, databaseOid), changed.encode());
    if (changed.directories().isEmpty()) {
      databases.remove(databaseOid);
      writeDirectory(KeySpace.DATABASE, databases.keySet());
    } else {
      databases.put(databaseOid, changed);
    }
  }

  public boolean hasDirectory(int databaseOid, int tablespaceOid) {
    DatabaseDirectories present = databases.get(databaseOid);
    return present != null && present.in(tablespaceOid) != null;
  }

  public byte @Nullable [] relationMap(int databaseOid, int tablespaceOid) {
    DatabaseDirectories.Directory directory =
        databases.getOrDefault(databaseOid, DatabaseDirectories.NONE).in(tablespaceOid);
    return directory == null ? null : directory.relationMap();
  }

  /** {@code location} is empty for one that was made in place. */
  public void putTablespace(int tablespaceOid, String location) {
    tablespaces.put(tablespaceOid, location);
    value(
        KeySpace.key(KeySpace.TABLESPACE, tablespaceOid),
        location.getBytes(StandardCharsets.UTF_8));
    writeDirectory(KeySpace.TABLESPACE, tablespaces.keySet());
  }

  /**
   * Drops the tablespace and every database's directory in it, as {@code
   * destroy_tablespace_directories} of PostgreSQL 17 {@code src/backend/commands/tablespace.c}
   * does: a database that has no relations left in a tablespace keeps an empty directory there.
   */
  public void dropTablespace(int tablespaceOid) {
    for (int databaseOid : List.copyOf(databases.keySet())) {
      if (hasDirectory(databaseOid, tablespaceOid)) {
        dropDatabase(databaseOid, tablespaceOid);
      }
    }
    if (tablespaces.remove(tablespaceOid) != null) {
      value(KeySpace.key(KeySpace.TABLESPACE, tablespaceOid), EMPTY);
      writeDirectory(KeySpace.TABLESPACE, tablespaces.keySet());
    }
  }

  public void putTimelineHistory(int tli, byte[] file) {
    value(KeySpace.key(KeySpace.TIMELINE_HISTORY, tli), file);
  }

  // SLRUs

  public SlruBounds slru(int slru) {
    return slrus[slru];
  }

  public void setSlru(int slru, SlruBounds bounds) {
    slrus[slru] = bounds;
    value(KeySpace.key(KeySpace.SLRU_BOUNDS, slru), bounds.encode());
  }

  // Prepared transactions and replication origins

  /** Keeps the contents of the transaction's state file. */
  public void putPrepared(int xid, byte[] bytes, int offset, int length) {
    byte[] entry = new byte[8 + length];
    putI64(entry, 0, fullXid(xid));
    System.arraycopy(bytes, offset, entry, 8, length);
    value(KeySpace.key(KeySpace.TWO_PHASE, xid), entry);
    if (prepared.add(xid)) {
      writeDirectory(KeySpace.TWO_PHASE, prepared);
    }
  }

  public void dropPrepared(int xid) {
    if (prepared.remove(xid)) {
      value(KeySpace.key(KeySpace.TWO_PHASE, xid), EMPTY);
      writeDirectory(KeySpace.TWO_PHASE, prepared);
    }
  }

  public void putOrigin(int originId, long remoteLsn, long localLsn) {
    putI64(scratch, 0, remoteLsn);
    putI64(scratch, 8, localLsn);
    journal.value(KeySpace.key(KeySpace.REPLICATION_ORIGIN, originId), scratch, 16);
    if (origins.add(originId)) {
      writeDirectory(KeySpace.REPLICATION_ORIGIN, origins);
    }
  }

  public void dropOrigin(int originId) {
    if (origins.remove(originId)) {
      value(KeySpace.key(KeySpace.REPLICATION_ORIGIN, originId), EMPTY);
      writeDirectory(KeySpace.REPLICATION_ORIGIN, origins);
    }
  }

  // The control file and its counters

  /** Takes over a control file: its parameters and, as counters, its checkpoint copy. */
  public void setControlFile(byte[] bytes, PostgresMajor major) {
    controlFile = Arrays.copyOf(bytes, ControlFile.keptBytes(major));
    value(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_FILE), controlFile);
    System.arraycopy(bytes, ControlFile.CHECK_POINT_COPY, checkPoint, 0, CheckPoint.SIZE);
    writeCheckPoint();
    setNextXid(i64(checkPoint, CheckPoint.NEXT_XID));
  }

  public byte[] controlFile() {
    return controlFile;
  }

  public boolean tracksCommitTimestamps() {
    return controlFile.length > 0 && u8(controlFile, ControlFile.TRACK_COMMIT_TIMESTAMP) != 0;
  }

  public void parameterChange(byte[] bytes, int offset) {
    putI32(controlFile, ControlFile.MAX_CONNECTIONS, i32(bytes, offset));
    putI32(controlFile, ControlFile.MAX_WORKER_PROCESSES, i32(bytes, offset + 4));
    putI32(controlFile, ControlFile.MAX_WAL_SENDERS, i32(bytes, offset + 8));
    putI32(controlFile, ControlFile.MAX_PREPARED_XACTS, i32(bytes, offset + 12));
    putI32(controlFile, ControlFile.MAX_LOCKS_PER_XACT, i32(bytes, offset + 16));
    putI32(controlFile, ControlFile.WAL_LEVEL, i32(bytes, offset + 20));
    controlFile[ControlFile.WAL_LOG_HINTS] = bytes[offset + 24];
    controlFile[ControlFile.TRACK_COMMIT_TIMESTAMP] = bytes[offset + 25];
    value(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_FILE), controlFile);
  }

  public long nextXid() {
    return nextXid;
  }

  /**
   * {@code xid} was used: the next one is at least its successor (T16 of the WAL notes; {@code
   * AdvanceNextFullTransactionIdPastXid}).
   */
  public void advanceNextXid(int xid) {
    if (Integer.compareUnsigned(xid, 3) < 0 || xid - (int) nextXid < 0) {
      return;
    }
    long epoch = nextXid >>> 32;
    int next = xid + 1;
    if (Integer.compareUnsigned(xid, (int) nextXid) < 0) {
      epoch++;
    }
    if (Integer.compareUnsigned(next, 3) < 0) {
      next = 3;
      epoch++;
    }
    setNextXid(epoch << 32 | (next & 0xFFFF_FFFFL));
  }

  private void setNextXid(long fullXid) {
    nextXid = fullXid;
    putI64(scratch, 0, fullXid);
    journal.value(KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_NEXT_XID), scratch, 8);
  }

  private long fullXid(int xid) {
    long epoch = nextXid >>> 32;
    if (Integer.compareUnsigned(xid, (int) nextXid) > 0) {
      epoch--;
    }
    return epoch << 32 | (xid & 0xFFFF_FFFFL);
  }

  /** Sets one u32 counter of the checkpoint, when it differs. */
  public void setCounter(int checkPointOffset, int value) {
    if (i32(checkPoint, checkPointOffset) != value) {
      putI32(checkPoint, checkPointOffset, value);
      writeCheckPoint();
    }
  }

  public int counter(int checkPointOffset) {
    return i32(checkPoint, checkPointOffset);
  }

  /** Multixact counters only move forward. */
  public void advanceNextMulti(int nextMulti, int nextMultiOffset) {
    boolean changed = false;
    if (i32(checkPoint, CheckPoint.NEXT_MULTI) - nextMulti < 0) {
      putI32(checkPoint, CheckPoint.NEXT_MULTI, nextMulti);
      changed = true;
    }
    if (i32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET) - nextMultiOffset < 0) {
      putI32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET, nextMultiOffset);
      changed = true;
    }
    if (changed) {
      writeCheckPoint();
    }
  }

  /**
   * Takes over a checkpoint record's counters: all of them exactly at a shutdown, forward only
   * while the cluster ran.
   */
  public void checkpoint(boolean shutdown, byte[] bytes, int offset) {
    int nextMulti = i32(checkPoint, CheckPoint.NEXT_MULTI);
    int nextMultiOffset = i32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET);
    int oldestXid = i32(checkPoint, CheckPoint.OLDEST_XID);
    int oldestXidDatabase = i32(checkPoint, CheckPoint.OLDEST_XID_DB);
    int oldestMulti = i32(checkPoint, CheckPoint.OLDEST_MULTI);
    int oldestMultiDatabase = i32(checkPoint, CheckPoint.OLDEST_MULTI_DB);
    int oldestCommitTsXid = i32(checkPoint, CheckPoint.OLDEST_COMMIT_TS_XID);
    int newestCommitTsXid = i32(checkPoint, CheckPoint.NEWEST_COMMIT_TS_XID);
    System.arraycopy(bytes, offset, checkPoint, 0, CheckPoint.SIZE);
    // The record has them as they were when the checkpoint began; replay moves them by commits.
    putI32(checkPoint, CheckPoint.OLDEST_COMMIT_TS_XID, oldestCommitTsXid);
    putI32(checkPoint, CheckPoint.NEWEST_COMMIT_TS_XID, newestCommitTsXid);
    long recordNextXid = i64(checkPoint, CheckPoint.NEXT_XID);
    if (shutdown) {
      setNextXid(recordNextXid);
    } else {
      if (i32(checkPoint, CheckPoint.NEXT_MULTI) - nextMulti < 0) {
        putI32(checkPoint, CheckPoint.NEXT_MULTI, nextMulti);
      }
      if (i32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET) - nextMultiOffset < 0) {
        putI32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET, nextMultiOffset);
      }
      if (i32(checkPoint, CheckPoint.OLDEST_XID) - oldestXid < 0) {
        putI32(checkPoint, CheckPoint.OLDEST_XID, oldestXid);
        putI32(checkPoint, CheckPoint.OLDEST_XID_DB, oldestXidDatabase);
      }
      if (i32(checkPoint, CheckPoint.OLDEST_MULTI) - oldestMulti < 0) {
        putI32(checkPoint, CheckPoint.OLDEST_MULTI, oldestMulti);
        putI32(checkPoint, CheckPoint.OLDEST_MULTI_DB, oldestMultiDatabase);
      }
      if (recordNextXid - nextXid > 0) {
        setNextXid(recordNextXid);
      }
    }
    writeCheckPoint();
  }

  private void writeCheckPoint() {
    journal.value(
        KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_CHECKPOINT), checkPoint, CheckPoint.SIZE);
  }

  private void value(long key, byte[] bytes) {
    journal.value(key, bytes, bytes.length);
  }

  private void writeDirectory(int keySpace, Iterable<Integer> ids) {
    List<Integer> list = new ArrayList<>();
    ids.forEach(list::add);
    byte[] bytes = new byte[4 + 4 * list.size()];
    putI32(bytes, 0, list.size());
    for (int i = 0; i < list.size(); i++) {
      putI32(bytes, 4 + 4 * i, list.get(i));
    }
    value(KeySpace.key(KeySpace.DIRECTORY, keySpace), bytes);
  }

  // Loading

  /**
   * Takes over what {@code view} shows, without writing anything. The dictionary is loaded already.
   */
  public void load(ClusterView view) {
    for (int id = KeySpace.FIRST_RELATION; id < dictionary.end(); id++) {
      loadSize(id, view.relationSize(id));
    }
    for (int oid : view.directory(KeySpace.DATABASE)) {
      databases.put(oid, view.database(oid));
    }
    tablespaces.putAll(view.tablespaces());
    for (int xid : view.directory(KeySpace.TWO_PHASE)) {
      prepared.add(xid);
    }
    for (int origin : view.directory(KeySpace.REPLICATION_ORIGIN)) {
      origins.add(origin);
    }
    for (int slru = 0; slru < slrus.length; slru++) {
      slrus[slru] = view.slru(slru);
    }
    controlFile = view.controlFile();
    System.arraycopy(view.checkPoint(), 0, checkPoint, 0, CheckPoint.SIZE);
    nextXid = view.nextXid();
  }
}
