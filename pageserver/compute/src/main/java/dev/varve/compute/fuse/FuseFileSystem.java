package dev.varve.compute.fuse;

import java.nio.ByteBuffer;

/**
 * What a file system answers. Called by the threads of a {@link FuseSession}, several at a time;
 * calls may block, but each must end, and one that waits for long when its {@linkplain
 * FuseCaller#mustReturn caller must return}.
 *
 * <p>A {@link FuseException} answers with its number; anything else thrown is answered with {@code
 * EIO} and logged.
 */
public interface FuseFileSystem {
  long ROOT = 1;

  FuseAttributes lookup(long parent, String name, FuseCaller caller) throws FuseException;

  /** The kernel dropped {@code count} references that lookup, create or mkdir gave it. */
  void forget(long node, long count);

  FuseAttributes attributes(long node) throws FuseException;

  FuseAttributes truncate(long node, long size, FuseCaller caller) throws FuseException;

  /** Changes permission bits, the lower 12 of {@code st_mode}. */
  FuseAttributes changeMode(long node, int mode) throws FuseException;

  FuseAttributes makeDirectory(long parent, String name, int mode, FuseCaller caller)
      throws FuseException;

  /** Makes a symbolic link, to wherever it may be. */
  FuseAttributes makeLink(long parent, String name, String target, FuseCaller caller)
      throws FuseException;

  /** Where a symbolic link leads. */
  String link(long node) throws FuseException;

  void unlink(long parent, String name, FuseCaller caller) throws FuseException;

  void removeDirectory(long parent, String name, FuseCaller caller) throws FuseException;

  /**
   * @param noReplace fail with {@code EEXIST} when the new name exists
   */
  void rename(
      long parent,
      String name,
      long newParent,
      String newName,
      boolean noReplace,
      FuseCaller caller)
      throws FuseException;

  /** A handle that read, write and release get back. */
  long open(long node) throws FuseException;

  FuseAttributes create(long parent, String name, int mode, FuseCaller caller) throws FuseException;

  /** Fills {@code into} from its position; fewer bytes only at the end of the file. */
  void read(long node, long handle, long offset, ByteBuffer into, FuseCaller caller)
      throws FuseException;

  /** Writes all of {@code from}. */
  void write(long node, long handle, long offset, ByteBuffer from, FuseCaller caller)
      throws FuseException;

  void release(long node, long handle);

  /** Makes the range part of the file, without changing what is there. */
  void allocate(long node, long offset, long length, boolean keepSize) throws FuseException;

  FuseDirectoryStream list(long node) throws FuseException;

  FuseSpace space() throws FuseException;
}
