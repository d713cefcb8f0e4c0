/** Tests of the node agent: its services alone, and with real mounts and PostgreSQL. */
@NullMarked
package dev.varve.compute.fuse;

import org.jspecify.annotations.NullMarked;
