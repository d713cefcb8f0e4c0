/** Fixtures for tests: real PostgreSQL servers of every major, workloads, comparisons. */
@NullMarked
package dev.varve.testkit;

import org.jspecify.annotations.NullMarked;
