package dev.varve.server.source;

import dev.varve.engine.postgres.PostgresMajor;

/**
 * What a primary says of itself.
 *
 * @param tli PostgreSQL's timeline id; as an expectation, 0 for any
 * @param walSegmentBytes 1 MB to 1 GB, a power of two
 * @param walEndLsn where its flushed WAL ended when asked
 */
public record PrimaryIdentity(
    long systemIdentifier, PostgresMajor major, int tli, int walSegmentBytes, long walEndLsn) {}
