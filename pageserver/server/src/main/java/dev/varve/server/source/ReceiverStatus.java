package dev.varve.server.source;

/**
 * What a {@link WalReceiver} is about, at one moment.
 *
 * @param failure what is wrong
 * @param sourceLsn where the primary's WAL ended when it was last heard of; 0 before that
 * @param streamedLsn the end of the last byte that came
 * @param lagSeconds since everything the primary had was received; 0 when that is so now
 * @param confirmedLsn what the primary need not keep before, as it was told; 0 while not connected
 * @param limits what the primary said of its bounds when it was connected last
 */
public record ReceiverStatus(
    State state,
    SourceFailure failure,
    long sourceLsn,
    long streamedLsn,
    double lagSeconds,
    long confirmedLsn,
    PrimaryLimits limits) {
  /**
   * <pre>
   *            +--------------------------------+
   *            v                                |
   *       CONNECTING ---> STREAMING ---> SOURCE_FAILING, SINK_FAILING
   *            |              |
   *            +---> FENCED, BROKEN, STOPPED  (for good)
   * </pre>
   */
  public enum State {
    /** Dialling, or checking what answered. */
    CONNECTING,
    /** WAL comes. */
    STREAMING,
    /** The primary cannot be followed now; tried again. */
    SOURCE_FAILING,
    /** The timeline cannot take WAL now, since object store or disk are failing; tried again. */
    SINK_FAILING,
    /** Another pageserver owns the timeline. */
    FENCED,
    /** The timeline will never take this WAL; a person must look. */
    BROKEN,
    /** Closed by its owner. */
    STOPPED
  }

  /** Whether the primary reports the end of its WAL now. */
  public boolean isConnected() {
    return confirmedLsn != 0 && sourceLsn != 0;
  }

  /** WAL bytes that the primary has and we have not. */
  public long lagBytes() {
    return Math.max(0, sourceLsn - streamedLsn);
  }
}
