/** Tests of laying out a data directory from a thin image. */
@NullMarked
package dev.varve.compute.image;

import org.jspecify.annotations.NullMarked;
