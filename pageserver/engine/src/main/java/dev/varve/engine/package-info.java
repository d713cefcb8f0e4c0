/**
 * The storage engine. This package holds only what every other one may throw; see the packages
 * below it, lowest first: {@code bytes}, {@code postgres}, {@code wal}, {@code redo}, {@code
 * store}, {@code layer}, {@code timeline}, {@code tenant}, {@code image}.
 */
@NullMarked
package dev.varve.engine;

import org.jspecify.annotations.NullMarked;
