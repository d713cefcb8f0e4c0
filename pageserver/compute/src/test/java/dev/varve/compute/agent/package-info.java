/** Tests of the whole agent against real PostgreSQL. */
@NullMarked
package dev.varve.compute.agent;

import org.jspecify.annotations.NullMarked;
