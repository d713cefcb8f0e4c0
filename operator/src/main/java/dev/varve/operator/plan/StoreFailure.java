package dev.varve.operator.plan;

/**
 * What fails at the object store, as a pageserver says it.
 *
 * @param reason of the condition {@code StoreReachable}
 * @param text with the time since when; it changes seldom while the same failure goes on
 */
public record StoreFailure(Reason reason, String text) {
  /** Amounts that change seldom: each change of a condition is written. Empty: not worth a word. */
  static String retained(long bytes) {
    long mebibytes = Long.highestOneBit(bytes >> 20);
    return mebibytes < 16 ? "" : "more than " + mebibytes + " MiB";
  }
}
