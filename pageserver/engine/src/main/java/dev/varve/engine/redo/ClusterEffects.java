package dev.varve.engine.redo;

import dev.varve.engine.wal.MainData;

/**
 * Where a record's effects beyond its own blocks are told to, in the order in which PostgreSQL has
 * them. All OIDs, block numbers and transaction ids are unsigned 32-bit values in {@code int}s.
 * Arrays are only valid during the call. Every effect is stamped with the record's end LSN by the
 * receiver.
 */
public interface ClusterEffects {
  /** SLRUs, in the order of their key spaces. */
  int PG_XACT = 0;

  int MULTIXACT_OFFSETS = 1;
  int MULTIXACT_MEMBERS = 2;
  int COMMIT_TS = 3;

  /**
   * Of a prepared transaction's state file, which is a value and goes through memory whole, several
   * times at once. PostgreSQL's own limit is a record's; this is more than eight million
   * subtransactions, or the drops of a quarter of a million relations.
   */
  int MAX_STATE_BYTES = 32 << 20;

  /** The fork exists from here on; a fork that exists already keeps its blocks. */
  void createRelation(int tablespaceOid, int databaseOid, int relationNumber, int fork);

  /** The fork ends at {@code blocks}; nothing happens when it is not longer. */
  void truncateRelation(
      int tablespaceOid, int databaseOid, int relationNumber, int fork, int blocks);

  /** All forks are gone. */
  void dropRelation(int tablespaceOid, int databaseOid, int relationNumber);

  /**
   * All forks of these relations are gone.
   *
   * @param locators has {@code count} times tablespace, database and relation number, each an u32,
   *     from {@code at} on
   */
  default void dropRelations(MainData locators, int at, int count) {
    for (int i = 0; i < count; i++) {
      int next = at + 12 * i;
      dropRelation(locators.i32At(next), locators.i32At(next + 4), locators.i32At(next + 8));
    }
  }

  /** An empty database directory. */
  void createDatabase(int databaseOid, int tablespaceOid);

  /** A database directory with a copy of everything in the source's directory as of this LSN. */
  void copyDatabase(
      int sourceDatabaseOid, int sourceTablespaceOid, int databaseOid, int tablespaceOid);

  /** The database's directories in these tablespaces are gone. */
  void dropDatabase(int databaseOid, int[] tablespaceOids);

  void createTablespace(int tablespaceOid, String location);

  void dropTablespace(int tablespaceOid);

  /** The whole {@code pg_filenode.map} of a database ({@code databaseOid} 0: the shared one). */
  void relationMap(int databaseOid, int tablespaceOid, byte[] bytes, int offset, int length);

  /**
   * A page that the record changes without naming it, in a relation fork: {@code op} (see {@link
   * DerivedOp}) is applied to it whatever its LSN. The page comes into being, zeroed, when the fork
   * is shorter and {@code extend} is set; else the op is dropped.
   */
  void deriveBlock(
      int tablespaceOid,
      int databaseOid,
      int relationNumber,
      int fork,
      int block,
      boolean extend,
      byte[] op,
      int offset,
      int length);

  /** An SLRU page that exists, zeroed, from here on. */
  void zeroSlruPage(int slru, int page);

  /**
   * Changes an SLRU page by {@code op} (see {@link DerivedOp}). A page that does not exist comes
   * into being, zeroed: WAL of older minors has the offset behind a page's last multixact before
   * the next page.
   */
  void deriveSlru(int slru, int page, byte[] op, int offset, int length);

  /**
   * Segments (of 32 pages) that lie wholly before {@code firstPage} are gone; pages before it must
   * not be asked for.
   */
  void truncateSlru(int slru, int firstPage);

  /** The contents of {@code pg_twophase/…} for a prepared transaction, CRC included. */
  void prepareTransaction(int xid, byte[] bytes, int offset, int length);

  /** The prepared transaction ended. */
  void forgetPrepared(int xid);

  /**
   * The next transaction id is at least {@code xid} + 1 (modulo 2^32, skipping the special ones);
   * told for xids of records by the driver.
   */
  void advanceNextXid(int xid);

  /** {@code nextOid} becomes this value. */
  void nextOid(int oid);

  /** {@code nextMulti} and {@code nextMultiOffset} are at least these. */
  void advanceNextMulti(int nextMulti, int nextMultiOffset);

  /**
   * The 88 bytes of a checkpoint record; {@code shutdown}: its counters hold exactly, else they
   * only move forward.
   */
  void checkpoint(boolean shutdown, byte[] bytes, int offset);

  /** {@code pg_xact} was cut: the oldest transaction id and its database. */
  void oldestXid(int oldestXid, int oldestXidDatabase);

  void oldestMulti(int oldestMulti, int oldestMultiDatabase);

  /** Commit timestamps exist for xids in this range; 0 for none. */
  void oldestCommitTsXid(int xid);

  void newestCommitTsXid(int xid);

  /**
   * The parameters that go to the control file: the record's main data, laid out as {@code
   * xl_parameter_change}.
   */
  void parameterChange(byte[] bytes, int offset, int length);

  void replicationOrigin(int originId, long remoteLsn, long localLsn);

  void dropReplicationOrigin(int originId);

  /** {@code XLOG_BACKUP_END} of the backup that started at this LSN. */
  void backupEnd(long startLsn);

  /** WAL goes on on another PostgreSQL timeline ({@code TLI}). */
  void timelineSwitch(int newTli, int previousTli);

  /**
   * A transaction committed at this time (microseconds since 2000-01-01), for resolving timestamps
   * to LSNs.
   */
  void commitTime(long microsSince2000);

  /**
   * Whether commit timestamps are kept at this point ({@code track_commit_timestamp} in the control
   * file).
   */
  boolean tracksCommitTimestamps();
}
