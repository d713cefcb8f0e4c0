/** WAL and base backups become entries of layers. One thread of a timeline writes. */
@NullMarked
package dev.varve.engine.ingest;

import org.jspecify.annotations.NullMarked;
