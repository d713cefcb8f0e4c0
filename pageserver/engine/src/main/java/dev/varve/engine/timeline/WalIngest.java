package dev.varve.engine.timeline;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.ValueKind;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.ForkNumber;
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
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.MainData;
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

  /** The end of a transaction in so many bytes may have more effects than the open layer holds. */
  private static final int LARGE_TRANSACTION_BYTES = 1 << 20;

  /** So many relations are not dropped one by one in the open layer, likewise. */
  private static final int MANY_RELATIONS = 1 << 16;

  /**
   * A record that makes a fork this many blocks longer than it says itself is about a sparse file:
   * the bucket pages of a new hash index, for one ({@code _hash_alloc_buckets} in PostgreSQL 17
   * {@code src/backend/access/hash/hashpage.c} writes the last of them only).
   */
  private static final int SPARSE_BLOCKS = 1 << 16;

  private static final String DROPPING = "dropping relations";
  private static final String EXTENDING = "extending a relation";

  private final RelationDictionary dictionary;
  private final ClusterState state;
  private final Shard shard;
  private final DatabaseCopy databases;
  private final ByteWriter encoded = new ByteWriter();
  private final byte[] page = new byte[Page.SIZE];
  private final byte[] imageBytes = new byte[ImagePage.MAX_BYTES];
  private OpenLayer layer;
  private DatabaseCopy.@Nullable Host host;

  /** What redo has to know up to the newest record; readers take it from here. */
  private volatile RedoContext context;

  private long lsn;
  private long endedBackupStartLsn;
  private long newestCommitMicros;
  private boolean endsLayer;

  /** Whether everything before the record is in files, so that it may write images itself. */
  private boolean writtenOut;

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
    writtenOut = false;
    ResourceManager manager = ResourceManagers.of(record.rmid);
    if (record.maxBlockId < 0
        ? record.length > LARGE_TRANSACTION_BYTES && record.rmid == WalRecord.RMGR_XACT
        : isSparse(record)) {
      writeOut();
    }
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        ingestBlock(record, id, manager);
      }
    }
    Redo.effects(record, context, this);
  }

  /** Before anything of the record is in the open layer. */
  private void writeOut() {
    Objects.requireNonNull(host).writeOut();
    writtenOut = true;
  }

  /** Whether a block of the record lies far behind its fork's end. */
  private boolean isSparse(WalRecord record) {
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]
          && Integer.compareUnsigned(record.blockNumber[id], SPARSE_BLOCKS) > 0) {
        int relationId =
            knownRelationId(
                record.blockTablespace[id],
                record.blockDatabase[id],
                record.blockRelation[id],
                record.blockFork[id]);
        int size = relationId < 0 ? 0 : Math.max(state.size(relationId), 0);
        if (isSparse(size, record.blockNumber[id])) {
          return true;
        }
      }
    }
    return false;
  }

  private static boolean isSparse(int size, int block) {
    return Integer.toUnsignedLong(block) - Integer.toUnsignedLong(size) > SPARSE_BLOCKS;
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
    int mainLength = ResourceManagers.of(record.rmid).redoMainLength(record);
    if (mainLength > record.mainKept()) {
      throw new RedoException(
          "main data of " + mainLength + " bytes, of which " + record.mainKept() + " were kept");
    }
    BlockRecord.encode(record, id, mainLength, forced, encoded);
    layer.put(key, lsn, ValueKind.RECORD, encoded.array(), 0, encoded.length());
  }

  /** The whole page as of the record that is being taken in. */
  void putPage(long key, byte[] bytes) {
    int length = ImagePage.encode(bytes, imageBytes);
    layer.put(key, lsn, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, imageBytes, 0, length);
  }

  private int relationId(int tablespace, int database, int relation, int fork) {
    if (!isLast(tablespace, database, relation, fork)) {
      remember(
          tablespace, database, relation, fork, state.intern(tablespace, database, relation, fork));
    }
    return lastId;
  }

  /** The same, but negative for a fork that was never there. */
  private int knownRelationId(int tablespace, int database, int relation, int fork) {
    if (isLast(tablespace, database, relation, fork)) {
      return lastId;
    }
    int id = dictionary.find(tablespace, database, relation, fork);
    if (id >= 0) {
      remember(tablespace, database, relation, fork, id);
    }
    return id;
  }

  private boolean isLast(int tablespace, int database, int relation, int fork) {
    return relation == lastRelation
        && fork == lastFork
        && database == lastDatabase
        && tablespace == lastTablespace;
  }

  private void remember(int tablespace, int database, int relation, int fork, int id) {
    lastId = id;
    lastTablespace = tablespace;
    lastDatabase = database;
    lastRelation = relation;
    lastFork = fork;
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
    if (isSparse(size, block)) {
      zeroPages(relationId, size, block);
      size = block;
    }
    for (int gap = size; gap != end; gap++) {
      if (owns(relationId, gap)) {
        layer.put(KeySpace.key(relationId, gap), lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
      }
    }
    state.setSize(relationId, block + 1);
  }

  /** Zero pages of blocks from {@code from} to before {@code end}, too many for the open layer. */
  private void zeroPages(int relationId, int from, int end) {
    if (!writtenOut) {
      throw new IllegalStateException("a sparse fork was not expected");
    }
    databases
        .images()
        .write(
            EXTENDING,
            lsn,
            Objects.requireNonNull(host),
            images -> {
              for (int block = from; block != end; block++) {
                if (owns(relationId, block)) {
                  images.zeroPage(KeySpace.key(relationId, block));
                }
              }
            });
    endsLayer = true;
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
  public void dropRelations(MainData locators, int at, int count) {
    if (count <= MANY_RELATIONS || !writtenOut) {
      ClusterEffects.super.dropRelations(locators, at, count);
      return;
    }
    IdList dropped = new IdList();
    for (int i = 0; i < count; i++) {
      int next = at + 12 * i;
      for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
        int id =
            dictionary.find(
                locators.i32At(next), locators.i32At(next + 4), locators.i32At(next + 8), fork);
        if (id >= 0 && state.size(id) != -1) {
          state.loadSize(id, -1);
          dropped.add(id);
        }
      }
    }
    dropAll(dropped);
  }

  /** Forks that have no size in the state any more. */
  private void dropAll(IdList dropped) {
    int[] ids = dropped.sorted();
    databases
        .images()
        .write(
            DROPPING,
            lsn,
            Objects.requireNonNull(host),
            images -> {
              for (int id : ids) {
                images.value(KeySpace.key(KeySpace.RELATION_SIZE, id), NOTHING);
              }
            });
    endsLayer = true;
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
  public void dropDatabase(int databaseOid, int[] tablespaceOids) {
    int end = dictionary.end();
    IdList dropped = new IdList();
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      for (int tablespaceOid : tablespaceOids) {
        if (state.size(id) != -1 && dictionary.isIn(id, tablespaceOid, databaseOid)) {
          dropped.add(id);
          break;
        }
      }
    }
    if (dropped.size() > MANY_RELATIONS) {
      writeOut();
      for (int id : dropped.sorted()) {
        state.loadSize(id, -1);
      }
      dropAll(dropped);
    } else {
      for (int id : dropped.sorted()) {
        state.setSize(id, -1);
      }
    }
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
    int end = dictionary.end();
    for (int id = KeySpace.FIRST_RELATION; id < end; id++) {
      if (state.size(id) != -1 && dictionary.isIn(id, tablespaceOid)) {
        state.setSize(id, -1);
      }
    }
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
    zeroPage(slru, page);
    SlruBounds before = state.slru(slru);
    long number = page & 0xFFFF_FFFFL;
    if (before.contains(number)) {
      return;
    }
    // A file begins with its segment's first page, whichever page of it is written first: what lies
    // before that one is a hole, and nothing that an earlier round left there.
    long segment = SlruBounds.startOfSegment(number);
    for (long hole = segment; hole < number; hole++) {
      if (!before.contains(hole)) {
        zeroPage(slru, (int) hole);
      }
    }
    long pages = Slru.pages(slru);
    SlruBounds after = before.withPage(number, pages);
    if (before.isEmpty()) {
      after = after.startingAt(segment);
    } else if (before.follows(number, pages)) {
      after = before.startingAt(segment);
    }
    state.setSlru(slru, after);
  }

  private void zeroPage(int slru, int page) {
    layer.put(
        KeySpace.key(KeySpace.FIRST_SLRU + slru, page), lsn, ValueKind.ZERO_PAGE, NOTHING, 0, 0);
  }

  @Override
  public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
    if (!state.slru(slru).contains(page & 0xFFFF_FFFFL)) {
      zeroSlruPage(slru, page);
    }
    layer.put(
        KeySpace.key(KeySpace.FIRST_SLRU + slru, page), lsn, ValueKind.DERIVED, op, offset, length);
  }

  @Override
  public void truncateSlru(int slru, int firstPage) {
    SlruBounds bounds = state.slru(slru);
    SlruBounds left = bounds.truncated(slru, firstPage & 0xFFFF_FFFFL);
    if (!left.equals(bounds)) {
      state.setSlru(slru, left);
    }
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
      context = context.withHintsLogged(lsn, ControlFile.logsHints(state.controlFile()));
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
    int page = Slru.commitTsPage(nextXid);
    if (!state.slru(COMMIT_TS).contains(page & 0xFFFF_FFFFL)) {
      zeroSlruPage(COMMIT_TS, page);
    }
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
