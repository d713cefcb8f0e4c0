/**
 * A timeline: one history of one database cluster. WAL goes in on one thread; any page at any LSN
 * comes out on any thread. Readers work on immutable snapshots of the layer map and never wait for
 * the writer.
 */
@NullMarked
package dev.varve.engine.timeline;

import org.jspecify.annotations.NullMarked;
