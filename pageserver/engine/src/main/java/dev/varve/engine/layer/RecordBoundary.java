package dev.varve.engine.layer;

/**
 * Where a WAL record stands.
 *
 * @param startLsn its first byte: the next record's {@code xl_prev}
 * @param endLsn where WAL goes on behind it
 */
public record RecordBoundary(long startLsn, long endLsn) {}
