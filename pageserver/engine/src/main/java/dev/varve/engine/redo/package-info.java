/**
 * Redo: record + page → page, one class per resource manager, and what a record does beyond pages.
 * In-process and free of I/O; a record that is not known is an error, never skipped.
 */
@NullMarked
package dev.varve.engine.redo;

import org.jspecify.annotations.NullMarked;
