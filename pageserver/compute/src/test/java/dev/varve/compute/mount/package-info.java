/** Tests of the page mount, and the page sources that they use. */
@NullMarked
package dev.varve.compute.mount;

import org.jspecify.annotations.NullMarked;
