package dev.varve.engine.redo;

import java.util.Arrays;

/**
 * At which LSNs of a history changes of hint bits alone are logged ({@code XLogHintBitIsNeeded} in
 * PostgreSQL 17 {@code src/include/access/xlog.h}): with data checksums at all, else where {@code
 * wal_log_hints} was on. Setting a page all-visible moves its LSN then. The setting changes with a
 * restart of the server, whose {@code XLOG_PARAMETER_CHANGE} tells; a record is redone by what held
 * where it was written, however late that is. Immutable.
 */
public final class HintLogging {
  private static final long[] NEVER = new long[0];
  private static final HintLogging ON = new HintLogging(true, NEVER);
  private static final HintLogging OFF = new HintLogging(false, NEVER);

  private final boolean atFirst;

  /** Ends of the records behind which it is the other way round, ascending as unsigned. */
  private final long[] changes;

  private HintLogging(boolean atFirst, long[] changes) {
    this.atFirst = atFirst;
    this.changes = changes;
  }

  public static HintLogging always(boolean logged) {
    return logged ? ON : OFF;
  }

  /**
   * The same, with another setting behind the record that ends at {@code lsn}, which is above every
   * change before.
   */
  public HintLogging changedAt(long lsn, boolean logged) {
    int count = changes.length;
    if (atEnd() == logged) {
      return this;
    }
    if (count > 0 && Long.compareUnsigned(changes[count - 1], lsn) >= 0) {
      throw new IllegalArgumentException("changes of wal_log_hints are not in order");
    }
    long[] more = Arrays.copyOf(changes, count + 1);
    more[count] = lsn;
    return new HintLogging(atFirst, more);
  }

  private boolean atEnd() {
    return atFirst ^ (changes.length & 1) != 0;
  }

  /** Whether the record that ends at {@code lsn} was written where hint bits are logged. */
  boolean at(long lsn) {
    int before = changes.length;
    while (before > 0 && Long.compareUnsigned(changes[before - 1], lsn) >= 0) {
      before--;
    }
    return atFirst ^ (before & 1) != 0;
  }
}
