/**
 * What the pageserver tells Prometheus at {@code /q/metrics}. Every name is declared here once and
 * documented in docs/operations/metrics.md; a test compares.
 */
@NullMarked
package dev.varve.server.metrics;

import org.jspecify.annotations.NullMarked;
