/**
 * Layers: the immutable files in which a timeline is kept, and the manifest that lists them.
 * Formats are specified in {@code docs/formats/}. Called by {@code tree}; knows nothing of what a
 * key means.
 */
@NullMarked
package dev.varve.engine.layer;

import org.jspecify.annotations.NullMarked;
