/** Tests of render. */
@NullMarked
package dev.varve.operator.render;

import org.jspecify.annotations.NullMarked;
