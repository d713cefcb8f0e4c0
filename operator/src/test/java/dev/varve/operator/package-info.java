/** Tests of the operator's settings. */
@NullMarked
package dev.varve.operator;

import org.jspecify.annotations.NullMarked;
