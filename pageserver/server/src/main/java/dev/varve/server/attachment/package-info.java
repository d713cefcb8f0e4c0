/**
 * The timelines attached to this pageserver: attach, detach, what they are about, and how they come
 * back after a restart. Called by the gRPC and HTTP edges; drives the engine's {@code tenant}
 * package and {@link dev.varve.server.source}.
 *
 * <p>Invariant: a timeline is attached once; its attachment's thread is the only one that feeds it.
 */
@NullMarked
package dev.varve.server.attachment;

import org.jspecify.annotations.NullMarked;
