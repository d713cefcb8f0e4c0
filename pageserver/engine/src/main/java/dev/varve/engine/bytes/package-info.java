/**
 * Bytes in arrays: little-endian access, checksums, growing buffers, and the envelope that every
 * Varve file wears. Called by every other package; knows nothing of PostgreSQL.
 */
@NullMarked
package dev.varve.engine.bytes;

import org.jspecify.annotations.NullMarked;
