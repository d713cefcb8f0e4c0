/**
 * The FUSE kernel protocol over {@code /dev/fuse}, spoken through the foreign function interface:
 * no native library of our own.
 *
 * <p>A {@link dev.varve.compute.fuse.FuseMount} owns the mount and its descriptor, a {@link
 * dev.varve.compute.fuse.FuseSession} the threads that answer requests by calling a {@link
 * dev.varve.compute.fuse.FuseFileSystem}. Knows nothing of PostgreSQL.
 */
@NullMarked
package dev.varve.compute.fuse;

import org.jspecify.annotations.NullMarked;
