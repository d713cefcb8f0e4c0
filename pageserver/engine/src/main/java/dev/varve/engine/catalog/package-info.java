/**
 * What there is in a cluster as of an LSN: databases, tablespaces, relations and their sizes, SLRU
 * pages, counters, settings; and which shard keeps a page.
 */
@NullMarked
package dev.varve.engine.catalog;

import org.jspecify.annotations.NullMarked;
