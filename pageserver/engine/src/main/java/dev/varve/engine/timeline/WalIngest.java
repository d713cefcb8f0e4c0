package dev.varve.engine.timeline;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.redo.ResourceManager;
import dev.varve.engine.redo.ResourceManagers;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.WalRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Turns records into entries of the open layer: for each block of the shard what redo of that block
 * needs, and for everything else new values of the cluster's state. Writer thread only; nothing is
 * allocated for an ordinary record.
 */
final class WalIngest implements ClusterEffects, ClusterState.Journal {
  private static final byte[] NOTHING = new byte[0];

  private final RelationDictionary dictionary;
  private final ClusterState state;
  private final Shard shard;
  private final DatabaseCopy databases;
  private final ByteWriter encoded = new ByteWriter();
  private final byte[] page = new byte[Page.SIZE];
  private final byte[] imageBytes = new byte[ImagePage.MAX_BYTES];
  private OpenLayer layer;
  private DatabaseCopy.@Nullable Host host;
  private RedoContext context;
  private long lsn;
  private long endedBackupStartLsn;
  private long newestCommitMicros;
  private boolean endsLayer;

  /** The fork that the last block belonged to: most records stay in it. */
  private int lastTablespace = -1;

  private int lastDatabase;
  private int lastRelation;
  private int lastFork;
  private int lastId;

  WalIngest(
      Shard shard,
      RelationDictionary dictionary,
      DatabaseCopy databases,
      RedoContext context,
      OpenLayer layer) {
    this.shard = shard;
    this.dictionary = dictionary;
    this.databases = databases;
    this.context = context;
    this.layer = layer;
    this.state = new ClusterState(this, dictionary);
  }

  ClusterState state() {
    return state;
  }

  RedoContext context() {
    return context;
  }

  void setContext(RedoContext context) {
    this.context = context;
  }

  /** Adds settings to the layer; {@code stamp} is in the layer's range. */
  void putSettings(ClusterSettings settings, long stamp) {
    byte[] value = settings.encode();
    layer.put(
        KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_SETTINGS),
        stamp,
        ValueKind.VALUE,
        value,
        0,
        value.length);
  }

  /** From the next record on, entries go to this layer. */
  void continueIn(OpenLayer next) {
    layer = next;
  }

  /** The start LSN of the backup whose end the last record told, or 0. */
  long endedBackupStartLsn() {
    return endedBackupStartLsn;
  }

  /** Whether the open layer has to be frozen behind the last record. */
  boolean endsLayer() {
    return endsLayer;
  }

  /** When the newest transaction known committed: microseconds since 2000-01-01; 0 for none. */
  long newestCommitMicros() {
    return newestCommitMicros;
  }

  /**
   * Takes in one record.
   *
   * @param host whoever drives this, for a record that takes long
   * @throws RedoException when the record is not known or cannot be: the timeline stops
   */
  void ingest(WalRecord record, DatabaseCopy.Host host) {
    this.host = host;
    lsn = record.endLsn;
    endedBackupStartLsn = 0;
    endsLayer = false;
    ResourceManager manager = ResourceManagers.of(record.rmid);
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        ingestBlock(record, id, manager);
      }
    }
    Redo.effects(record, context, this);
  }

  private void ingestBlock(WalRecord record, int id, ResourceManager manager) {
    int relationId =
        relationId(
            record.blockTablespace[id],
            record.blockDatabase[id],
            record.blockRelation[id],
            record.blockFork[id]);
    int block = record.blockNumber[id];
    boolean owned =
        shard.owns(record.blockDatabase[id], record.blockRelation[id], record.blockFork[id], block);
    boolean image = record.blockImageApplies[id];
    extendTo(relationId, block, !image && !record.willInit(id));
    if (!owned) {
      return;
    }
    long key = KeySpace.key(relationId, block);
    if (image) {
      Redo.restoreImage(record, id, page);
      putPage(key, page);
      if (manager.redoAfterImage(record, id)) {
        putRecord(key, record, id, true);
      }
      return;
    }
    if (record.willInit(id)) {
      layer.put(key, lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
    }
    putRecord(key, record, id, false);
  }

  private void putRecord(long key, WalRecord record, int id, boolean forced) {
    encoded.reset();
    BlockRecord.encode(record, id, forced, encoded);
    layer.put(key, lsn, ValueKind.RECORD, encoded.array(), 0, encoded.length());
  }

  /** The whole page as of the record that is being taken in. */
  void putPage(long key, byte[] bytes) {
    int length = ImagePage.encode(bytes, imageBytes);
    layer.put(key, lsn, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, imageBytes, 0, length);
  }

  private int relationId(int tablespace, int database, int relation, int fork) {
    if (relation == lastRelation
        && fork == lastFork
        && database == lastDatabase
        && tablespace == lastTablespace) {
      return lastId;
    }
    lastId = state.intern(tablespace, database, relation, fork);
    lastTablespace = tablespace;
    lastDatabase = database;
    lastRelation = relation;
    lastFork = fork;
    return lastId;
  }

  /**
   * Makes the fork long enough to hold {@code block}: PostgreSQL extends with zero pages (T9 of the
   * WAL notes).
   *
   * @param base whether the block itself needs a zero page for the record to apply to
   */
  private void extendTo(int relationId, int block, boolean base) {
    int size = state.size(relationId);
    if (size == -1) {
      size = 0;
    } else if (Integer.compareUnsigned(block, size) < 0) {
      return;
    }
    int end = base ? block + 1 : block;
    for (int gap = size; gap != end; gap++) {
      if (owns(relationId, gap)) {
        layer.put(KeySpace.key(relationId, gap), lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
      }
    }
    state.setSize(relationId, block + 1);
  }

  private boolean owns(int relationId, int block) {
    if (shard.coversAll()) {
      return true;
    }
    RelFileLocator locator = dictionary.locator(relationId);
    return shard.owns(
        locator.databaseOid(), locator.relationNumber(), dictionary.fork(relationId), block);
  }

  // ClusterState.Journal

  @Override
  public void value(long key, byte[] bytes, int length) {
    layer.put(key, lsn, ValueKind.VALUE, bytes, 0, length);
  }

  // ClusterEffects

  @Override
  public void createRelation(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    int id = relationId(tablespaceOid, databaseOid, relationNumber, fork);
    if (state.size(id) == -1) {
      state.setSize(id, 0);
    }
    if (databaseOid != 0) {
      ensureDirectory(databaseOid, tablespaceOid);
    }
  }

  /** A database gets a directory in another tablespace with its first relation there. */
  private void ensureDirectory(int databaseOid, int tablespaceOid) {
    if (!state.hasDirectory(databaseOid, tablespaceOid)) {
      state.putDatabase(databaseOid, tablespaceOid, null);
    }
  }

  @Override
  public void truncateRelation(
      int tablespaceOid, int databaseOid, int relationNumber, int fork, int blocks) {
    int id = dictionary.find(tablespaceOid, databaseOid, relationNumber, fork);
    if (id >= 0 && state.size(id) != -1 && Integer.compareUnsigned(state.size(id), blocks) > 0) {
      state.setSize(id, blocks);
    }
  }

  @Override
  public void dropRelation(int tablespaceOid, int databaseOid, int relationNumber) {
    for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
      int id = dictionary.find(tablespaceOid, databaseOid, relationNumber, fork);
      if (id >= 0 && state.size(id) != -1) {
        state.setSize(id, -1);
      }
    }
  }

  @Override
  public void createDatabase(int databaseOid, int tablespaceOid) {
    state.putDatabase(databaseOid, tablespaceOid, null);
  }

  @Override
  public void copyDatabase(
      int sourceDatabaseOid, int sourceTablespaceOid, int databaseOid, int tablespaceOid) {
    List<Integer> sources = new ArrayList<>();
    long blocks = 0;
    int end = dictionary.end();
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      if (state.size(id) != -1 && dictionary.isIn(id, sourceTablespaceOid, sourceDatabaseOid)) {
        sources.add(id);
        blocks += Integer.toUnsignedLong(state.size(id));
      }
    }
    boolean large = databases.isLarge(blocks);
    DatabaseCopy.Host current = Objects.requireNonNull(host);
    if (large) {
      current.writeOut();
    }
    state.putDatabase(
        databaseOid, tablespaceOid, state.relationMap(sourceDatabaseOid, sourceTablespaceOid));
    List<DatabaseCopy.Fork> forks = new ArrayList<>();
    for (int id : sources) {
      RelFileLocator source = dictionary.locator(id);
      int fork = dictionary.fork(id);
      int copy = state.intern(tablespaceOid, databaseOid, source.relationNumber(), fork);
      state.setSize(copy, state.size(id));
      forks.add(new DatabaseCopy.Fork(id, copy, source, fork, state.size(id)));
    }
    if (large) {
      databases.toImageLayers(forks, lsn, current);
      endsLayer = true;
    } else {
      databases.toOpenLayer(forks, lsn, this, current);
    }
  }

  @Override
  public void dropDatabase(int databaseOid, int tablespaceOid) {
    int end = dictionary.end();
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      if (state.size(id) != -1 && dictionary.isIn(id, tablespaceOid, databaseOid)) {
        state.setSize(id, -1);
      }
    }
    state.dropDatabase(databaseOid, tablespaceOid);
  }

  @Override
  public void createTablespace(int tablespaceOid, String location) {
    state.putTablespace(tablespaceOid, location);
  }

  @Override
  public void dropTablespace(int tablespaceOid) {
    state.dropTablespace(tablespaceOid);
  }

  @Override
  public void relationMap(
      int databaseOid, int tablespaceOid, byte[] bytes, int offset, int length) {
    state.putDatabase(
        databaseOid, tablespaceOid, Arrays.copyOfRange(bytes, offset, offset + length));
  }

  @Override
  public void deriveBlock(
      int tablespaceOid,
      int databaseOid,
      int relationNumber,
      int fork,
      int block,
      boolean extend,
      byte[] op,
      int offset,
      int length) {
    if (extend) {
      int id = relationId(tablespaceOid, databaseOid, relationNumber, fork);
      extendTo(id, block, true);
      if (shard.owns(databaseOid, relationNumber, fork, block)) {
        layer.put(KeySpace.key(id, block), lsn, ValueKind.DERIVED, op, offset, length);
      }
      return;
    }
    if (!shard.owns(databaseOid, relationNumber, fork, block)) {
      return;
    }
    int id = dictionary.find(tablespaceOid, databaseOid, relationNumber, fork);
    if (id >= 0 && state.size(id) != -1 && Integer.compareUnsigned(block, state.size(id)) < 0) {
      layer.put(KeySpace.key(id, block), lsn, ValueKind.DERIVED, op, offset, length);
    }
  }

  @Override
  public void zeroSlruPage(int slru, int page) {
    layer.put(
        KeySpace.key(KeySpace.FIRST_SLRU + slru, page), lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
    state.setSlru(slru, state.slru(slru).withPage(page & 0xFFFF_FFFFL));
  }

  @Override
  public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
    SlruBounds bounds = state.slru(slru);
    if (!bounds.contains(page & 0xFFFF_FFFFL)) {
      zeroSlruPage(slru, page);
    }
    layer.put(
        KeySpace.key(KeySpace.FIRST_SLRU + slru, page), lsn, ValueKind.DERIVED, op, offset, length);
  }

  @Override
  public void truncateSlru(int slru, int firstPage) {
    state.setSlru(slru, state.slru(slru).startingAt(firstPage & 0xFFFF_FFFFL));
  }

  @Override
  public void prepareTransaction(int xid, byte[] bytes, int offset, int length) {
    state.advanceNextXid(xid);
    state.putPrepared(xid, bytes, offset, length);
  }

  @Override
  public void forgetPrepared(int xid) {
    state.dropPrepared(xid);
  }

  @Override
  public void advanceNextXid(int xid) {
    state.advanceNextXid(xid);
  }

  @Override
  public void nextOid(int oid) {
    state.setCounter(CheckPoint.NEXT_OID, oid);
  }

  @Override
  public void advanceNextMulti(int nextMulti, int nextMultiOffset) {
    state.advanceNextMulti(nextMulti, nextMultiOffset);
  }

  @Override
  public void checkpoint(boolean shutdown, byte[] bytes, int offset) {
    state.checkpoint(shutdown, bytes, offset);
  }

  @Override
  public void oldestXid(int oldestXid, int oldestXidDatabase) {
    state.setCounter(CheckPoint.OLDEST_XID, oldestXid);
    state.setCounter(CheckPoint.OLDEST_XID_DB, oldestXidDatabase);
  }

  @Override
  public void oldestMulti(int oldestMulti, int oldestMultiDatabase) {
    state.setCounter(CheckPoint.OLDEST_MULTI, oldestMulti);
    state.setCounter(CheckPoint.OLDEST_MULTI_DB, oldestMultiDatabase);
  }

  @Override
  public void oldestCommitTsXid(int xid) {
    state.setCounter(CheckPoint.OLDEST_COMMIT_TS_XID, xid);
  }

  @Override
  public void newestCommitTsXid(int xid) {
    state.setCounter(CheckPoint.NEWEST_COMMIT_TS_XID, xid);
  }

  @Override
  public void parameterChange(byte[] bytes, int offset, int length) {
    state.parameterChange(bytes, offset);
  }

  @Override
  public void replicationOrigin(int originId, long remoteLsn, long localLsn) {
    state.putOrigin(originId, remoteLsn, localLsn);
  }

  @Override
  public void dropReplicationOrigin(int originId) {
    state.dropOrigin(originId);
  }

  @Override
  public void backupEnd(long startLsn) {
    endedBackupStartLsn = startLsn;
  }

  @Override
  public void timelineSwitch(int newTli, int previousTli) {
    state.setCounter(CheckPoint.THIS_TLI, newTli);
    state.setCounter(CheckPoint.PREVIOUS_TLI, previousTli);
  }

  @Override
  public void commitTime(long microsSince2000) {
    newestCommitMicros = microsSince2000;
  }

  @Override
  public boolean tracksCommitTimestamps() {
    return state.tracksCommitTimestamps();
  }
}
