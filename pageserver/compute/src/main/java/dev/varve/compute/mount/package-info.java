/**
 * The file system below PostgreSQL: relation files whose pages come from a {@link
 * dev.varve.compute.page.PageSource} on first read, and a local overlay that takes every change.
 *
 * <p>{@link dev.varve.compute.mount.PageMount} is the way in. A {@link
 * dev.varve.compute.mount.TablespaceFileSystem} is the tree of one tablespace, a {@code LocalFile}
 * the content of one file. Invariants: a block is either remote (unmodified since the image's LSN)
 * or local, never both; nothing is reported absent unless it is known to be absent; a failing
 * source reads as EIO.
 */
@NullMarked
package dev.varve.compute.mount;

import org.jspecify.annotations.NullMarked;
