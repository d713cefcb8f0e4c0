package dev.varve.engine.ingest;

import dev.varve.engine.catalog.ClusterState;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.wal.MainData;
import dev.varve.engine.wal.WalRecord;

/**
 * Which forks there are and how long they are, as records change that. A fork that grows gets zero
 * pages between its old end and the block that is written (T9 of the WAL notes). Writer thread
 * only; nothing is allocated for an ordinary record.
 */
final class RelationForks {
  /** More forks than this are not dropped one by one in the open layer. */
  private static final int MANY_FORKS = 1 << 16;

  /**
   * A record that makes a fork this many blocks longer than it says itself is about a sparse file:
   * the bucket pages of a new hash index, for one ({@code _hash_alloc_buckets} in PostgreSQL 17
   * {@code src/backend/access/hash/hashpage.c} writes the last of them only).
   */
  private static final int SPARSE_BLOCKS = 1 << 16;

  private static final String DROPPING = "dropping relations";
  private static final String EXTENDING = "extending a relation";
  private static final byte[] DROPPED = new byte[0];

  private final RelationDictionary dictionary;
  private final ClusterState state;
  private final Shard shard;
  private final RecordEntries entries;

  /** The fork that the last block belonged to: most records stay in it. */
  private int lastTablespace = -1;

  private int lastDatabase;
  private int lastRelation;
  private int lastFork;
  private int lastId;

  RelationForks(
      RelationDictionary dictionary, ClusterState state, Shard shard, RecordEntries entries) {
    this.dictionary = dictionary;
    this.state = state;
    this.shard = shard;
    this.entries = entries;
  }

  /** The fork's id, interned when it is new. */
  int id(int tablespace, int database, int relation, int fork) {
    if (!isLast(tablespace, database, relation, fork)) {
      remember(
          tablespace, database, relation, fork, state.intern(tablespace, database, relation, fork));
    }
    return lastId;
  }

  /** The same, but negative for a fork that was never there. */
  private int knownId(int tablespace, int database, int relation, int fork) {
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

  // Sizes

  /** Whether a block of the record lies far behind its fork's end. */
  boolean isSparse(WalRecord record) {
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]
          && Integer.compareUnsigned(record.blockNumber[id], SPARSE_BLOCKS) > 0) {
        int relationId =
            knownId(
                record.blockTablespace[id],
                record.blockDatabase[id],
                record.blockRelation[id],
                record.blockFork[id]);
        int size = relationId < 0 || !exists(relationId) ? 0 : state.size(relationId);
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

  /**
   * Makes the fork long enough to hold {@code block}.
   *
   * @param base whether the block itself needs a zero page for the record to apply to
   */
  void extendTo(int relationId, int block, boolean base) {
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
        entries.zeroPage(KeySpace.key(relationId, gap));
      }
    }
    state.setSize(relationId, block + 1);
  }

  /** Zero pages of blocks from {@code from} to before {@code end}, too many for the open layer. */
  private void zeroPages(int relationId, int from, int end) {
    entries.writeImages(
        EXTENDING,
        images -> {
          for (int block = from; block != end; block++) {
            if (owns(relationId, block)) {
              images.zeroPage(KeySpace.key(relationId, block));
            }
          }
        });
  }

  private boolean owns(int relationId, int block) {
    if (shard.coversAll()) {
      return true;
    }
    RelFileLocator locator = dictionary.locator(relationId);
    return shard.owns(
        locator.databaseOid(), locator.relationNumber(), dictionary.fork(relationId), block);
  }

  /** Whether the fork is there and has the block; its id, else a negative number. */
  int idOfBlock(int tablespace, int database, int relation, int fork, int block) {
    int id = dictionary.find(tablespace, database, relation, fork);
    return id >= 0 && exists(id) && Integer.compareUnsigned(block, state.size(id)) < 0 ? id : -1;
  }

  private boolean exists(int id) {
    return state.size(id) != -1;
  }

  void create(int tablespace, int database, int relation, int fork) {
    int id = id(tablespace, database, relation, fork);
    if (!exists(id)) {
      state.setSize(id, 0);
    }
  }

  void truncate(int tablespace, int database, int relation, int fork, int blocks) {
    int id = dictionary.find(tablespace, database, relation, fork);
    if (id >= 0 && exists(id) && Integer.compareUnsigned(state.size(id), blocks) > 0) {
      state.setSize(id, blocks);
    }
  }

  // Drops

  void drop(int tablespace, int database, int relation) {
    for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
      int id = dictionary.find(tablespace, database, relation, fork);
      if (id >= 0 && exists(id)) {
        state.setSize(id, -1);
      }
    }
  }

  /** Drops relations that a record lists as {@link dev.varve.engine.redo.ClusterEffects} says. */
  void drop(MainData locators, int at, int count) {
    IdList ids = new IdList();
    for (int i = 0; i < count; i++) {
      int next = at + 12 * i;
      int tablespace = locators.i32At(next);
      int database = locators.i32At(next + 4);
      int relation = locators.i32At(next + 8);
      for (int fork = 0; fork < ForkNumber.COUNT; fork++) {
        addExisting(dictionary.find(tablespace, database, relation, fork), ids);
      }
    }
    drop(ids);
  }

  /** Drops every fork in these directories of a database. */
  void dropDirectories(int database, int[] tablespaces) {
    IdList ids = new IdList();
    for (int tablespace : tablespaces) {
      for (int id : dictionary.idsIn(tablespace, database)) {
        addExisting(id, ids);
      }
    }
    drop(ids);
  }

  /** Drops every fork in a tablespace. */
  void dropTablespace(int tablespace) {
    IdList ids = new IdList();
    for (int id : dictionary.idsIn(tablespace)) {
      addExisting(id, ids);
    }
    drop(ids);
  }

  private void addExisting(int id, IdList ids) {
    if (id >= 0 && exists(id)) {
      ids.add(id);
    }
  }

  private void drop(IdList forks) {
    int[] ids = forks.sorted();
    if (ids.length <= MANY_FORKS || !entries.canWriteOut()) {
      for (int id : ids) {
        state.setSize(id, -1);
      }
      return;
    }
    entries.writeOut();
    for (int id : ids) {
      state.loadSize(id, -1);
    }
    entries.writeImages(
        DROPPING,
        images -> {
          for (int id : ids) {
            images.value(KeySpace.key(KeySpace.RELATION_SIZE, id), DROPPED);
          }
        });
  }
}
