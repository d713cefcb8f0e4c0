package dev.varve.engine.ingest;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.catalog.SlruBounds;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.ClusterEffects;
import dev.varve.engine.redo.Redo;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.redo.ResourceManager;
import dev.varve.engine.redo.ResourceManagers;
import dev.varve.engine.redo.Slru;
import dev.varve.engine.redo.Xid;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.MainData;
import dev.varve.engine.wal.WalRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Turns records into entries: for each block of the shard what redo of that block needs, and for
 * everything else new values of the cluster's state. Writer thread only; nothing is allocated for
 * an ordinary record.
 */
public final class WalIngest implements ClusterEffects {
  /** The end of a transaction in so many bytes may have more effects than the open layer holds. */
  private static final int LARGE_TRANSACTION_BYTES = 1 << 20;

  private final RelationDictionary dictionary;
  private final ClusterState state;
  private final Shard shard;
  private final DatabaseCopy databases;
  private final RecordEntries entries;
  private final RelationForks forks;
  private final SlruPages slrus;
  private final ByteWriter encoded = new ByteWriter();
  private final byte[] page = new byte[Page.SIZE];

  /** What redo has to know up to the newest record; readers take it from here. */
  private volatile RedoContext context;

  private long endedBackupStartLsn;
  private long newestCommitMicros;

  public WalIngest(
      Shard shard,
      RelationDictionary dictionary,
      DatabaseCopy databases,
      RecordImages images,
      RedoContext context,
      OpenLayer layer) {
    this.shard = shard;
    this.dictionary = dictionary;
    this.databases = databases;
    this.context = context;
    this.entries = new RecordEntries(images, layer);
    this.state = new ClusterState(entries, dictionary);
    this.forks = new RelationForks(dictionary, state, shard, entries);
    this.slrus = new SlruPages(state, entries);
  }

  public ClusterState state() {
    return state;
  }

  public RedoContext context() {
    return context;
  }

  /** Adds settings to the layer; {@code stamp} is in the layer's range. */
  void putSettings(ClusterSettings settings, long stamp) {
    entries.valueAt(
        KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_SETTINGS), stamp, settings.encode());
  }

  /** From now on, entries go to this layer. */
  void continueIn(OpenLayer next) {
    entries.continueIn(next);
  }

  /** The start LSN of the backup whose end the last record told, or 0. */
  long endedBackupStartLsn() {
    return endedBackupStartLsn;
  }

  /** Whether the open layer has to be frozen behind the last record. */
  boolean endsLayer() {
    return entries.endsLayer();
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
  void ingest(WalRecord record, RecordHost host) {
    entries.begin(record.endLsn, host);
    endedBackupStartLsn = 0;
    ResourceManager manager = ResourceManagers.of(record.rmid);
    if (record.maxBlockId < 0
        ? record.length > LARGE_TRANSACTION_BYTES && record.rmid == WalRecord.RMGR_XACT
        : forks.isSparse(record)) {
      entries.writeOut();
    }
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        ingestBlock(record, id, manager);
      }
    }
    Redo.effects(record, context, this);
  }

  private void ingestBlock(WalRecord record, int id, ResourceManager manager) {
    int relationId =
        forks.id(
            record.blockTablespace[id],
            record.blockDatabase[id],
            record.blockRelation[id],
            record.blockFork[id]);
    int block = record.blockNumber[id];
    boolean owned =
        shard.owns(record.blockDatabase[id], record.blockRelation[id], record.blockFork[id], block);
    boolean image = record.blockImageApplies[id];
    forks.extendTo(relationId, block, !image && !record.willInit(id));
    if (!owned) {
      return;
    }
    long key = KeySpace.key(relationId, block);
    if (image) {
      Redo.restoreImage(record, id, page);
      entries.page(key, page);
      if (manager.redoAfterImage(record, id)) {
        putRecord(key, record, id, manager, true);
      }
      return;
    }
    if (record.willInit(id)) {
      entries.zeroPage(key);
    }
    putRecord(key, record, id, manager, false);
  }

  private void putRecord(
      long key, WalRecord record, int id, ResourceManager manager, boolean forced) {
    encoded.reset();
    int mainLength = manager.redoMainLength(record);
    if (mainLength > record.mainKept()) {
      throw new RedoException(
          "main data of " + mainLength + " bytes, of which " + record.mainKept() + " were kept");
    }
    BlockRecord.encode(record, id, mainLength, forced, encoded);
    entries.put(key, ValueKind.RECORD, encoded.array(), 0, encoded.length());
  }

  // ClusterEffects

  @Override
  public void createRelation(int tablespaceOid, int databaseOid, int relationNumber, int fork) {
    forks.create(tablespaceOid, databaseOid, relationNumber, fork);
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
    forks.truncate(tablespaceOid, databaseOid, relationNumber, fork, blocks);
  }

  @Override
  public void dropRelation(int tablespaceOid, int databaseOid, int relationNumber) {
    forks.drop(tablespaceOid, databaseOid, relationNumber);
  }

  @Override
  public void dropRelations(MainData locators, int at, int count) {
    forks.drop(locators, at, count);
  }

  @Override
  public void createDatabase(int databaseOid, int tablespaceOid) {
    state.putDatabase(databaseOid, tablespaceOid, null);
  }

  @Override
  public void copyDatabase(
      int sourceDatabaseOid, int sourceTablespaceOid, int databaseOid, int tablespaceOid) {
    int[] sources =
        Arrays.stream(dictionary.idsIn(sourceTablespaceOid, sourceDatabaseOid))
            .filter(id -> state.size(id) != -1)
            .toArray();
    long blocks = 0;
    for (int id : sources) {
      blocks += Integer.toUnsignedLong(state.size(id));
    }
    boolean large = databases.isLarge(blocks);
    if (large) {
      entries.writeOut();
    }
    state.putDatabase(
        databaseOid, tablespaceOid, state.relationMap(sourceDatabaseOid, sourceTablespaceOid));
    List<DatabaseCopy.Fork> copies = new ArrayList<>();
    for (int id : sources) {
      RelFileLocator source = dictionary.locator(id);
      int fork = dictionary.fork(id);
      int copy = state.intern(tablespaceOid, databaseOid, source.relationNumber(), fork);
      state.setSize(copy, state.size(id));
      copies.add(new DatabaseCopy.Fork(id, copy, source, fork, state.size(id)));
    }
    if (large) {
      databases.toImageLayers(copies, entries);
    } else {
      databases.toOpenLayer(copies, entries);
    }
  }

  @Override
  public void dropDatabase(int databaseOid, int[] tablespaceOids) {
    forks.dropDirectories(databaseOid, tablespaceOids);
    for (int tablespaceOid : tablespaceOids) {
      state.dropDatabase(databaseOid, tablespaceOid);
    }
  }

  @Override
  public void createTablespace(int tablespaceOid, String location) {
    state.putTablespace(tablespaceOid, location);
  }

  @Override
  public void dropTablespace(int tablespaceOid) {
    forks.dropTablespace(tablespaceOid);
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
    int id;
    if (extend) {
      id = forks.id(tablespaceOid, databaseOid, relationNumber, fork);
      forks.extendTo(id, block, true);
    } else {
      id = forks.idOfBlock(tablespaceOid, databaseOid, relationNumber, fork, block);
    }
    if (id >= 0 && shard.owns(databaseOid, relationNumber, fork, block)) {
      entries.put(KeySpace.key(id, block), ValueKind.DERIVED, op, offset, length);
    }
  }

  @Override
  public void zeroSlruPage(int slru, int page) {
    slrus.zero(slru, page);
  }

  @Override
  public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
    slrus.derive(slru, page, op, offset, length);
  }

  @Override
  public void truncateSlru(int slru, int firstPage) {
    slrus.truncate(slru, firstPage);
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
    int oldest = state.counter(CheckPoint.OLDEST_COMMIT_TS_XID);
    if (oldest != 0 && Xid.precedes(oldest, xid)) {
      state.setCounter(CheckPoint.OLDEST_COMMIT_TS_XID, xid);
    }
  }

  @Override
  public void newestCommitTsXid(int xid) {
    if (Xid.precedes(state.counter(CheckPoint.NEWEST_COMMIT_TS_XID), xid)) {
      state.setCounter(CheckPoint.NEWEST_COMMIT_TS_XID, xid);
    }
  }

  @Override
  public void parameterChange(byte[] bytes, int offset, int length) {
    boolean tracked = state.tracksCommitTimestamps();
    state.parameterChange(bytes, offset);
    if (state.tracksCommitTimestamps() != tracked) {
      if (tracked) {
        deactivateCommitTs();
      } else {
        activateCommitTs();
      }
    }
    if (!ControlFile.hasChecksums(state.controlFile())) {
      context = context.withHintsLogged(entries.lsn(), ControlFile.logsHints(state.controlFile()));
    }
  }

  /**
   * Commit timestamps are kept from the next transaction on. Follows {@code ActivateCommitTs} in
   * PostgreSQL 17 {@code src/backend/access/transam/commit_ts.c}.
   */
  private void activateCommitTs() {
    int nextXid = (int) state.nextXid();
    if (state.counter(CheckPoint.OLDEST_COMMIT_TS_XID) == 0) {
      state.setCounter(CheckPoint.OLDEST_COMMIT_TS_XID, nextXid);
      state.setCounter(CheckPoint.NEWEST_COMMIT_TS_XID, nextXid);
    }
    slrus.ensure(COMMIT_TS, Slru.commitTsPage(nextXid));
  }

  /** All of them are gone. Follows {@code DeactivateCommitTs}, likewise. */
  private void deactivateCommitTs() {
    state.setCounter(CheckPoint.OLDEST_COMMIT_TS_XID, 0);
    state.setCounter(CheckPoint.NEWEST_COMMIT_TS_XID, 0);
    state.setSlru(COMMIT_TS, SlruBounds.NONE);
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
