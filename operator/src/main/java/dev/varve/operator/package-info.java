/**
 * The operator: observes ({@code pageserver}, {@code reconcile}), plans ({@code plan}, pure), and
 * applies ({@code render}, {@code reconcile}).
 */
@NullMarked
package dev.varve.operator;

import org.jspecify.annotations.NullMarked;
