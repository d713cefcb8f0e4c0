/**
 * The thin image on the compute's side: fetching it, and laying out a data directory and the
 * mounts' overlays from it. Mounts nothing and starts nothing.
 */
@NullMarked
package dev.varve.compute.image;

import org.jspecify.annotations.NullMarked;
