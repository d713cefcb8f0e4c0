/** Tests of the envelope. */
@NullMarked
package dev.varve.format;

import org.jspecify.annotations.NullMarked;
