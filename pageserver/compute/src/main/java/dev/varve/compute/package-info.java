/** The agent beside PostgreSQL. */
@NullMarked
package dev.varve.compute;

import org.jspecify.annotations.NullMarked;
