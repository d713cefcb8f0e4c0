package dev.varve.engine.redo;

/**
 * Order of transaction ids on their circle. Follows PostgreSQL 17 {@code TransactionIdPrecedes} in
 * {@code transam.c}.
 */
public final class Xid {
  /** {@code FirstNormalTransactionId}: those below are special and older than all others. */
  static final int FIRST_NORMAL = 3;

  private Xid() {}

  public static boolean precedes(int left, int right) {
    boolean special =
        Integer.compareUnsigned(left, FIRST_NORMAL) < 0
            || Integer.compareUnsigned(right, FIRST_NORMAL) < 0;
    return special ? Integer.compareUnsigned(left, right) < 0 : left - right < 0;
  }

  /** The newest of at least one. */
  static int newest(int[] xids) {
    int newest = xids[0];
    for (int xid : xids) {
      if (precedes(newest, xid)) {
        newest = xid;
      }
    }
    return newest;
  }
}
