package dev.varve.engine.store;

import java.time.Instant;

/**
 * One object in a listing.
 *
 * @param length in bytes
 * @param modified when it was written, by the store's clock
 */
public record ObjectEntry(String name, long length, Instant modified) {}
