package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putI32;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.MainData;
import dev.varve.engine.wal.WalRecord;

/**
 * Ends of transactions, and prepared ones: transaction status, commit timestamps, dropped
 * relations, two-phase state, progress of replication origins. Follows PostgreSQL 17 {@code
 * xact_redo} in {@code src/backend/access/transam/xact.c}, {@code ParseCommitRecord} in {@code
 * src/backend/access/rmgrdesc/xactdesc.c} and {@code twophase.c}.
 *
 * <pre>
 * commit, abort := xact_time i64, [xinfo u32: info & 0x80], and by bits of xinfo
 *     0x1 dbinfo 8   0x2 {n i32, xid u32 × n}   0x4 {n i32, locator 12 × n}   0x100 {n i32, stats item × n}
 *     0x8 {n i32, message 16 × n}: commit   0x10 xid u32 [0x80: gid, NUL]   0x20 {lsn u64, timestamp i64}
 * </pre>
 */
final class TransactionRedo extends BlocklessManager {
  private static final int COMMIT = 0x00;
  private static final int PREPARE = 0x10;
  private static final int ABORT = 0x20;
  private static final int COMMIT_PREPARED = 0x30;
  private static final int ABORT_PREPARED = 0x40;
  private static final int ASSIGNMENT = 0x50;
  private static final int INVALIDATIONS = 0x60;
  private static final int OPCODE_MASK = 0x70;
  private static final int HAS_INFO = 0x80;

  private static final int HAS_DATABASE = 0x1;
  private static final int HAS_SUBXACTS = 0x2;
  private static final int HAS_RELATIONS = 0x4;
  private static final int HAS_INVALIDATIONS = 0x8;
  private static final int HAS_TWOPHASE = 0x10;
  private static final int HAS_ORIGIN = 0x20;
  private static final int HAS_GID = 0x80;
  private static final int HAS_DROPPED_STATS = 0x100;

  /**
   * Those above, those for a hot standby's locks, and three wishes to whoever waits for the commit.
   */
  private static final int KNOWN_INFO = 0x1FF | 7 << 29;

  /** {@code DoNotReplicateId}: an origin whose progress is not kept. */
  private static final int DO_NOT_REPLICATE = 0xFFFF;

  private static final int STATUS_COMMITTED = 1;
  private static final int STATUS_ABORTED = 2;

  private static final int TWOPHASE_MAGIC = 0x57F94534;
  private static final int PREPARE_HEADER_SIZE = 72;

  @Override
  public String name() {
    return "Transaction";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    int opcode = record.info & OPCODE_MASK;
    if (opcode == ASSIGNMENT || opcode == INVALIDATIONS) {
      decoded(opcode, main(record));
      return;
    }
    MainData in = new MainData(record);
    switch (opcode) {
      case COMMIT, COMMIT_PREPARED, ABORT, ABORT_PREPARED ->
          end(record, opcode, in, context, effects);
      case PREPARE -> prepare(record, in, effects);
      default -> throw unknown(record);
    }
  }

  /** What hot standbys and logical decoding want to know. */
  private static void decoded(int opcode, ByteReader in) {
    if (opcode == ASSIGNMENT) {
      in.skip(4); // the top-level transaction
      in.skip(4 * in.countOf(4));
    } else {
      in.skip(16 * in.countOf(16));
    }
    in.end();
  }

  private static void end(
      WalRecord record, int opcode, MainData in, RedoContext context, ClusterEffects effects) {
    boolean commit = opcode == COMMIT || opcode == COMMIT_PREPARED;
    boolean prepared = opcode == COMMIT_PREPARED || opcode == ABORT_PREPARED;
    long time = in.i64();
    int xinfo = (record.info & HAS_INFO) != 0 ? in.i32() : 0;
    if ((xinfo & ~KNOWN_INFO) != 0) {
      throw new RedoException(
          "xinfo 0x" + Integer.toHexString(xinfo) + " has bits that are not known");
    }
    if ((xinfo & HAS_DATABASE) != 0) {
      in.skip(8);
    }
    int subxacts = (xinfo & HAS_SUBXACTS) != 0 ? in.countOf(4) : 0;
    int subxactsAt = in.skip(4 * subxacts);
    int relations = (xinfo & HAS_RELATIONS) != 0 ? in.countOf(12) : 0;
    int relationsAt = in.skip(12 * relations);
    if ((xinfo & HAS_DROPPED_STATS) != 0) {
      int size = context.major().atLeast(PostgresMajor.V18) ? 16 : 12;
      in.skip(size * in.countOf(size));
    }
    if ((xinfo & HAS_INVALIDATIONS) != 0) {
      if (!commit) {
        throw new RedoException("an abort has no invalidations");
      }
      in.skip(16 * in.countOf(16));
    }
    if (((xinfo & HAS_TWOPHASE) != 0) != prepared) {
      throw new RedoException(
          "xinfo 0x" + Integer.toHexString(xinfo) + " and the kind of record disagree");
    }
    int xid = prepared ? in.i32() : record.xid;
    if (prepared && (xinfo & HAS_GID) != 0) {
      skipString(in);
    }
    long originLsn = 0;
    long commitTime = time;
    if ((xinfo & HAS_ORIGIN) != 0) {
      originLsn = in.i64();
      commitTime = in.i64();
    }
    in.end();
    if (xid == 0) {
      throw new RedoException("the end of no transaction");
    }

    XidTree xids = new XidTree(xid, in, subxactsAt, subxacts);
    effects.advanceNextXid(xids.newest());
    if (commit && effects.tracksCommitTimestamps()) {
      commitTimestamps(xids, commitTime, record.origin, effects);
    }
    status(xids, commit ? STATUS_COMMITTED : STATUS_ABORTED, effects);
    if (relations > 0) {
      effects.dropRelations(in, relationsAt, relations);
    }
    if ((xinfo & HAS_ORIGIN) != 0) {
      origin(record, originLsn, effects);
    }
    if (prepared) {
      effects.forgetPrepared(xid);
    }
    if (commit) {
      effects.commitTime(time);
    }
  }

  /** One operation for each run of transactions on one page. */
  private static void status(XidTree xids, int status, ClusterEffects effects) {
    ByteWriter op = new ByteWriter();
    for (int from = 0; from < xids.size(); from += xids.runLength()) {
      int page = xids.run(from, Slru::xactPage);
      op.reset();
      DerivedOp.encodeXactStatus(status, xids.run(), 0, xids.runLength(), op);
      effects.deriveSlru(ClusterEffects.PG_XACT, page, op.array(), 0, op.length());
    }
  }

  private static void commitTimestamps(
      XidTree xids, long time, int origin, ClusterEffects effects) {
    ByteWriter op = new ByteWriter();
    for (int from = 0; from < xids.size(); from += xids.runLength()) {
      int page = xids.run(from, Slru::commitTsPage);
      op.reset();
      DerivedOp.encodeCommitTs(time, origin, xids.run(), 0, xids.runLength(), op);
      effects.deriveSlru(ClusterEffects.COMMIT_TS, page, op.array(), 0, op.length());
    }
    effects.newestCommitTsXid(xids.newest());
  }

  /**
   * The main data is the state file but for its checksum: {@code xl_xact_prepare}, then, each
   * padded to a multiple of 8: gid, subtransactions, relations to drop at commit and abort,
   * statistics likewise, invalidations, and what resource managers want back.
   */
  private static void prepare(WalRecord record, MainData in, ClusterEffects effects) {
    int magic = in.i32();
    int totalLength = in.i32();
    int xid = in.i32();
    if (magic != TWOPHASE_MAGIC || totalLength != record.mainLength + 4) {
      throw new RedoException(
          "two-phase state with magic 0x"
              + Integer.toHexString(magic)
              + " and length "
              + totalLength);
    }
    in.skip(28 - in.consumed());
    int subxacts = in.countOf(4);
    in.skip(54 - in.consumed());
    int gidLength = in.u16();
    long originLsn = in.i64();
    in.skip(PREPARE_HEADER_SIZE - in.consumed());
    in.skip((gidLength + 7) & ~7);
    XidTree xids = new XidTree(xid, in, in.skip(4 * subxacts), subxacts);
    effects.advanceNextXid(xids.newest());
    if (totalLength > ClusterEffects.MAX_STATE_BYTES) {
      throw new RedoException(
          "the state of prepared transaction %s has %d bytes, and a timeline keeps at most %d: end it"
                  .formatted(
                      Integer.toUnsignedString(xid), totalLength, ClusterEffects.MAX_STATE_BYTES)
              + " at the primary, delete this timeline and attach the primary again");
    }
    byte[] file = new byte[totalLength];
    in.copyTo(file);
    putI32(file, record.mainLength, Crc32c.compute(file, 0, record.mainLength));
    effects.prepareTransaction(xid, file, 0, file.length);
    if (record.origin != 0) {
      origin(record, originLsn, effects);
    }
  }

  private static void origin(WalRecord record, long remoteLsn, ClusterEffects effects) {
    if (record.origin != DO_NOT_REPLICATE) {
      effects.replicationOrigin(record.origin, remoteLsn, record.endLsn);
    }
  }

  private static void skipString(MainData in) {
    while (in.u8() != 0) {
      // up to the terminator
    }
  }
}
