package dev.varve.server.source;

/**
 * What a slot makes its primary keep.
 *
 * @param restartLsn WAL is kept from here; 0: there is no slot, or it keeps nothing
 * @param walEndLsn where the primary's WAL ends
 */
public record SlotReport(long restartLsn, long walEndLsn, PrimaryLimits limits) {}
