/** Tests of reconcile. */
@NullMarked
package dev.varve.operator.reconcile;

import org.jspecify.annotations.NullMarked;
