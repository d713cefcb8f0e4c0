/** Benchmarks, each beside its rival. */
@NullMarked
package dev.varve.bench;

import org.jspecify.annotations.NullMarked;
