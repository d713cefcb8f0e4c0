/**
 * The primary as a source of WAL: a client of PostgreSQL's replication protocol, the base backup,
 * and the receiver that keeps one timeline fed. Called by the attachments; knows of the engine only
 * {@link dev.varve.server.source.WalSink} and {@link dev.varve.server.source.BackupSink}.
 *
 * <p>Invariant: the flush position told to the primary is never above what the sink says is
 * published, so that the slot holds every byte of WAL that only local memory or disk has.
 */
@NullMarked
package dev.varve.server.source;

import org.jspecify.annotations.NullMarked;
