package dev.varve.engine.redo;

import dev.varve.engine.wal.MainData;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;

/**
 * A transaction and its subtransactions as a record lists them, however many: of them memory holds
 * those of one SLRU page. One thread.
 */
final class XidTree {
  /** No SLRU page has more transactions. */
  private static final int MAX_RUN = Slru.XIDS_PER_XACT_PAGE;

  private final int xid;
  private final MainData data;
  private final int subxactsAt;
  private final int subxacts;
  private int[] run = new int[1];
  private int runLength;

  /**
   * @param subxactsAt where in {@code data} the {@code subxacts} subtransactions begin
   */
  XidTree(int xid, MainData data, int subxactsAt, int subxacts) {
    this.xid = xid;
    this.data = data;
    this.subxactsAt = subxactsAt;
    this.subxacts = subxacts;
  }

  int size() {
    return subxacts + 1;
  }

  private int xid(int index) {
    return index == 0 ? xid : data.i32At(subxactsAt + 4 * (index - 1));
  }

  int newest() {
    int newest = xid;
    for (int i = 1; i <= subxacts; i++) {
      int next = xid(i);
      if (Xid.precedes(newest, next)) {
        newest = next;
      }
    }
    return newest;
  }

  /**
   * Collects the transactions from number {@code from} on that are on the same page.
   *
   * @return the page, as {@code pageOf} says
   */
  int run(int from, IntUnaryOperator pageOf) {
    int page = pageOf.applyAsInt(xid(from));
    runLength = 0;
    for (int i = from; i <= subxacts && runLength < MAX_RUN; i++) {
      int next = xid(i);
      if (pageOf.applyAsInt(next) != page) {
        break;
      }
      if (runLength == run.length) {
        run = Arrays.copyOf(run, 2 * runLength);
      }
      run[runLength++] = next;
    }
    return page;
  }

  /** What {@link #run(int, IntUnaryOperator)} collected. */
  int[] run() {
    return run;
  }

  int runLength() {
    return runLength;
  }
}
