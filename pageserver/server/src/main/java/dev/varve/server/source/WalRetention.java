package dev.varve.server.source;

import dev.varve.engine.PageserverException.InvalidRequest;

/**
 * How much WAL a primary may be made to keep for a timeline that does not take it, by the user's
 * choice. The primary's own bound, {@code max_slot_wal_keep_size}, holds beside it, and is the only
 * one that holds when the pageserver itself is away.
 *
 * @param maxBytes that the slot may keep; 0: as many as the primary lets it
 * @param dropsSlot what happens beyond: the slot is dropped and the timeline given up, or it shows
 */
public record WalRetention(long maxBytes, boolean dropsSlot) {
  /** The primary's own bound only. */
  public static final WalRetention UNBOUNDED = new WalRetention(0, false);

  public WalRetention {
    if (maxBytes < 0) {
      throw new InvalidRequest(
          "the WAL that the primary may keep is bounded to "
              + maxBytes
              + " bytes; expected 0 for no bound, or more");
    }
    if (dropsSlot && maxBytes == 0) {
      throw new InvalidRequest(
          "the slot is to be dropped when the primary keeps too much WAL, but how much is too much"
              + " is not said");
    }
  }

  /** Whether so many bytes are too many. */
  public boolean isExceededBy(long bytes) {
    return maxBytes > 0 && bytes > maxBytes;
  }
}
