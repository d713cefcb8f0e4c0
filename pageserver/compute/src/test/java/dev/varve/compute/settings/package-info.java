/** Tests of what a compute is configured with. */
@NullMarked
package dev.varve.compute.settings;

import org.jspecify.annotations.NullMarked;
