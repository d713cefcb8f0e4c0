/**
 * Fixtures for tests: real PostgreSQL servers of every major, S3, a pageserver, a kubelet;
 * workloads, comparisons.
 */
@NullMarked
package dev.varve.testkit;

import org.jspecify.annotations.NullMarked;
