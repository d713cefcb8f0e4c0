package dev.varve.engine.redo;

import dev.varve.engine.bytes.ByteReader;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.wal.WalRecord;

/**
 * Multixacts: who shares a row lock. Follows PostgreSQL 17 {@code multixact_redo} and {@code
 * RecordNewMultiXact} in {@code src/backend/access/transam/multixact.c}.
 *
 * <p>What is stored for a new multixact follows the minors of 2026: its own offset and also that of
 * the next one, which is where its members end. WAL of older minors initialises the next one's page
 * only later; the page is then zeroed after that offset was written, and the offset comes again
 * with the next multixact itself.
 */
final class MultiXactRedo extends BlocklessManager {
  private static final int ZERO_OFFSETS_PAGE = 0x00;
  private static final int ZERO_MEMBERS_PAGE = 0x10;
  private static final int CREATE_ID = 0x20;
  private static final int TRUNCATE_ID = 0x30;

  /** {@code FirstMultiXactId}. */
  private static final int FIRST_MULTI = 1;

  /** {@code MaxMultiXactId}. */
  private static final int MAX_MULTI = -1;

  private static final int MEMBER_SIZE = 8;

  @Override
  public String name() {
    return "MultiXact";
  }

  @Override
  public void effects(WalRecord record, RedoContext context, ClusterEffects effects) {
    ByteReader in = main(record);
    switch (record.info) {
      case ZERO_OFFSETS_PAGE ->
          SlruRecord.zeroPage(in, ClusterEffects.MULTIXACT_OFFSETS, context, effects);
      case ZERO_MEMBERS_PAGE ->
          SlruRecord.zeroPage(in, ClusterEffects.MULTIXACT_MEMBERS, context, effects);
      case CREATE_ID -> create(record, in, effects);
      case TRUNCATE_ID -> truncate(in, effects);
      default -> throw unknown(record);
    }
  }

  private static void create(WalRecord record, ByteReader in, ClusterEffects effects) {
    int multi = in.i32();
    int offset = in.i32();
    int count = in.countOf(MEMBER_SIZE);
    int membersAt = in.position();
    int newestXid = record.xid;
    for (int i = 0; i < count; i++) {
      int xid = in.i32();
      int status = in.i32();
      if (status < 0 || status > 5) {
        throw new RedoException("multixact member with status " + Integer.toUnsignedString(status));
      }
      if (Xid.precedes(newestXid, xid)) {
        newestXid = xid;
      }
    }
    in.end();
    if (multi == 0 || offset == 0) {
      throw new RedoException("multixact " + multi + " at offset " + offset);
    }
    int nextMulti = multi == -1 ? FIRST_MULTI : multi + 1;
    // Offset 0 means that none is known: the circle leaves it out.
    int nextOffset = offset + count == 0 ? 1 : offset + count;
    ByteWriter op = new ByteWriter(16 + 5 * Math.min(count, Slru.MEMBERS_PER_PAGE));
    offset(multi, offset, op, effects);
    offset(nextMulti, nextOffset, op, effects);
    for (int i = 0; i < count; ) {
      int first = offset + i;
      int onPage = Math.min(count - i, Slru.MEMBERS_PER_PAGE - Slru.membersEntry(first));
      // The last page before the circle closes is not full.
      int beforeWrap = first < 0 && -first > 0 ? -first : onPage;
      int run = Math.min(onPage, beforeWrap);
      op.reset();
      DerivedOp.encodeMultiXactMembers(first, record.bytes, membersAt + i * MEMBER_SIZE, run, op);
      effects.deriveSlru(
          ClusterEffects.MULTIXACT_MEMBERS, Slru.membersPage(first), op.array(), 0, op.length());
      i += run;
    }
    effects.advanceNextMulti(nextMulti, nextOffset);
    if (newestXid != 0) {
      effects.advanceNextXid(newestXid);
    }
  }

  private static void offset(int multi, int offset, ByteWriter op, ClusterEffects effects) {
    op.reset();
    DerivedOp.encodeMultiXactOffset(multi, offset, op);
    effects.deriveSlru(
        ClusterEffects.MULTIXACT_OFFSETS, Slru.offsetsPage(multi), op.array(), 0, op.length());
  }

  private static void truncate(ByteReader in, ClusterEffects effects) {
    int database = in.i32();
    in.skip(4); // the oldest multixact before
    int oldestMulti = in.i32();
    in.skip(4); // the oldest member offset before
    int oldestOffset = in.i32();
    in.end();
    effects.oldestMulti(oldestMulti, database);
    effects.truncateSlru(ClusterEffects.MULTIXACT_MEMBERS, Slru.membersPage(oldestOffset));
    // The page of the multixact before it stays; before the first one comes the last of the circle.
    int before = oldestMulti == FIRST_MULTI ? MAX_MULTI : oldestMulti - 1;
    effects.truncateSlru(ClusterEffects.MULTIXACT_OFFSETS, Slru.offsetsPage(before));
  }
}
