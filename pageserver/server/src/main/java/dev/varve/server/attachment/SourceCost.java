package dev.varve.server.attachment;

/**
 * What an attached timeline makes its primary bear, as far as it is known.
 *
 * @param retainedBytes of WAL that the slot makes the primary keep
 * @param retainedSeconds since the slot moved last, or since it kept nothing; 0 when that is so now
 * @param primaryKeepsAtMostBytes the primary's {@code max_slot_wal_keep_size}; -1: any amount; 0:
 *     not known
 * @param namedSynchronous whether the primary's {@code synchronous_standby_names} match the
 *     pageserver
 */
public record SourceCost(
    long retainedBytes,
    double retainedSeconds,
    long primaryKeepsAtMostBytes,
    boolean namedSynchronous) {}
