/**
 * The set of layers of a timeline: the open one in memory, files, the map of both, the manifest
 * that lists them, and the accounts of memory and disk that bound them. What an entry means is not
 * known here, but for the {@linkplain dev.varve.engine.tree.KeySpace key spaces}.
 */
@NullMarked
package dev.varve.engine.tree;

import org.jspecify.annotations.NullMarked;
