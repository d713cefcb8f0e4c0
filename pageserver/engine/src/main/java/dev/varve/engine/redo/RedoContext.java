package dev.varve.engine.redo;

import dev.varve.engine.postgres.PostgresMajor;

/**
 * What redo must know of the cluster beside record and page.
 *
 * @param major decides layouts that a record does not tell by itself
 * @param hintsLogged whether data checksums or {@code wal_log_hints} are on ({@code
 *     XLogHintBitIsNeeded}): then setting a page all-visible moves its LSN
 */
public record RedoContext(PostgresMajor major, boolean hintsLogged) {}
