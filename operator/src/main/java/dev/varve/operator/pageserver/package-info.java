/** The pageservers as the operator sees them: their pods, and what they say of their timelines. */
@NullMarked
package dev.varve.operator.pageserver;

import org.jspecify.annotations.NullMarked;
