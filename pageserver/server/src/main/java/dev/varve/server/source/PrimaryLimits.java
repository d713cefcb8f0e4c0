package dev.varve.server.source;

/**
 * The settings of a primary that say what a standby may cost it.
 *
 * @param maxSlotWalKeepBytes {@code max_slot_wal_keep_size}: how much WAL a slot keeps; -1 for any
 *     amount
 * @param synchronousStandbyNames as it stands there; empty on a standby, which waits for nobody
 */
public record PrimaryLimits(long maxSlotWalKeepBytes, String synchronousStandbyNames) {
  /** Before the primary was asked. */
  public static final PrimaryLimits UNKNOWN = new PrimaryLimits(0, "");

  /** Whether the pageserver of this timeline is among the names. */
  public boolean nameSynchronous(String timeline) {
    return SynchronousStandbyNames.count(
        synchronousStandbyNames, PrimarySource.applicationName(timeline));
  }
}
