/** Tests of tenant. */
@NullMarked
package dev.varve.engine.tenant;

import org.jspecify.annotations.NullMarked;
