/**
 * The write-ahead log: from bytes at any LSN to checked, reassembled records, and the slim form in
 * which a record is kept for one of its blocks. One {@link WalRecord} is reused for a whole stream;
 * nothing here allocates per record.
 */
@NullMarked
package dev.varve.engine.wal;

import org.jspecify.annotations.NullMarked;
