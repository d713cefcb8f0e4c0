/**
 * Thin images: the files that stock PostgreSQL needs to start at an LSN, as after a clean shutdown.
 */
@NullMarked
package dev.varve.engine.image;

import org.jspecify.annotations.NullMarked;
