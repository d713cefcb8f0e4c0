package dev.varve.engine.redo;

import dev.varve.engine.postgres.Page;

/**
 * Arithmetic of the segmented logs of transaction state: which page and which entry belongs to a
 * transaction id, multixact id or member offset, all unsigned 32-bit. Stateless; the same in 15 to
 * 18. Follows PostgreSQL 17 {@code clog.c}, {@code multixact.c} and {@code commit_ts.c} in {@code
 * src/backend/access/transam}.
 */
public final class Slru {
  /** {@code SLRU_PAGES_PER_SEGMENT}. */
  public static final int PAGES_PER_SEGMENT = 32;

  /** {@code CLOG_XACTS_PER_PAGE}. */
  public static final int XIDS_PER_XACT_PAGE = Page.SIZE * 4;

  /** {@code MULTIXACT_OFFSETS_PER_PAGE}. */
  public static final int OFFSETS_PER_PAGE = Page.SIZE / 4;

  private static final int MEMBERS_PER_GROUP = 4;

  /** Four status bytes and four transaction ids. */
  private static final int GROUP_SIZE = MEMBERS_PER_GROUP * 5;

  /** {@code MULTIXACT_MEMBERS_PER_PAGE}: 1636. */
  public static final int MEMBERS_PER_PAGE = Page.SIZE / GROUP_SIZE * MEMBERS_PER_GROUP;

  /** Time and replication origin of one transaction. */
  public static final int COMMIT_TS_SIZE = 10;

  /** {@code COMMIT_TS_XACTS_PER_PAGE}: 819. */
  public static final int COMMIT_TS_PER_PAGE = Page.SIZE / COMMIT_TS_SIZE;

  private Slru() {}

  /**
   * How many page numbers an SLRU, numbered as in {@link ClusterEffects}, has: the ids of 32 bits
   * over what a page holds, rounded up. Behind the last one comes page 0 again.
   */
  public static long pages(int slru) {
    long ids = 1L << 32;
    return switch (slru) {
      case ClusterEffects.PG_XACT -> ids / XIDS_PER_XACT_PAGE;
      case ClusterEffects.MULTIXACT_OFFSETS -> ids / OFFSETS_PER_PAGE;
      case ClusterEffects.MULTIXACT_MEMBERS -> Math.ceilDiv(ids, (long) MEMBERS_PER_PAGE);
      case ClusterEffects.COMMIT_TS -> Math.ceilDiv(ids, (long) COMMIT_TS_PER_PAGE);
      default -> throw new IllegalArgumentException("SLRU " + slru);
    };
  }

  /**
   * Whether truncation of an SLRU to {@code cutoffPage} removes the segment that begins with {@code
   * page}: all ids that it may hold precede all of the cutoff's page on the circle. Follows {@code
   * SlruMayDeleteSegment} in PostgreSQL 17 {@code src/backend/access/transam/slru.c}.
   */
  public static boolean mayRemoveSegment(int slru, long page, long cutoffPage) {
    return pagePrecedes(slru, (int) page, (int) cutoffPage)
        && pagePrecedes(slru, (int) page + PAGES_PER_SEGMENT - 1, (int) cutoffPage);
  }

  /**
   * {@code CLOGPagePrecedes}, {@code MultiXactOffsetPagePrecedes}, {@code CommitTsPagePrecedes}.
   */
  private static boolean pagePrecedes(int slru, int left, int right) {
    return switch (slru) {
      case ClusterEffects.PG_XACT -> xidPagePrecedes(left, right, XIDS_PER_XACT_PAGE);
      case ClusterEffects.COMMIT_TS -> xidPagePrecedes(left, right, COMMIT_TS_PER_PAGE);
      case ClusterEffects.MULTIXACT_OFFSETS -> {
        int first = left * OFFSETS_PER_PAGE;
        int other = right * OFFSETS_PER_PAGE;
        yield first - other < 0 && first - (other + OFFSETS_PER_PAGE - 1) < 0;
      }
      default -> throw new IllegalArgumentException("SLRU " + slru);
    };
  }

  private static boolean xidPagePrecedes(int left, int right, int perPage) {
    int first = left * perPage + Xid.FIRST_NORMAL + 1;
    int other = right * perPage + Xid.FIRST_NORMAL + 1;
    return Xid.precedes(first, other) && Xid.precedes(first, other + perPage - 1);
  }

  public static int xactPage(int xid) {
    return Integer.divideUnsigned(xid, XIDS_PER_XACT_PAGE);
  }

  public static int xactEntry(int xid) {
    return Integer.remainderUnsigned(xid, XIDS_PER_XACT_PAGE);
  }

  public static int offsetsPage(int multi) {
    return Integer.divideUnsigned(multi, OFFSETS_PER_PAGE);
  }

  public static int offsetsEntry(int multi) {
    return Integer.remainderUnsigned(multi, OFFSETS_PER_PAGE);
  }

  public static int membersPage(int offset) {
    return Integer.divideUnsigned(offset, MEMBERS_PER_PAGE);
  }

  public static int membersEntry(int offset) {
    return Integer.remainderUnsigned(offset, MEMBERS_PER_PAGE);
  }

  /** Where on its page the transaction id of a member is. */
  static int memberXidOffset(int entry) {
    return entry / MEMBERS_PER_GROUP * GROUP_SIZE
        + MEMBERS_PER_GROUP
        + entry % MEMBERS_PER_GROUP * 4;
  }

  /** Where on its page the status of a member is. */
  static int memberStatusOffset(int entry) {
    return entry / MEMBERS_PER_GROUP * GROUP_SIZE + entry % MEMBERS_PER_GROUP;
  }

  public static int commitTsPage(int xid) {
    return Integer.divideUnsigned(xid, COMMIT_TS_PER_PAGE);
  }

  public static int commitTsEntry(int xid) {
    return Integer.remainderUnsigned(xid, COMMIT_TS_PER_PAGE);
  }
}
