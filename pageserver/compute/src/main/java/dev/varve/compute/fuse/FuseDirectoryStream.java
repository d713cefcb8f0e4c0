package dev.varve.compute.fuse;

import org.jspecify.annotations.Nullable;

/** The entries of an open directory, by number from 0. Thread-safe. */
public interface FuseDirectoryStream {
  /**
   * An entry; null behind the last. The one after the last one asked for, or that one again, is
   * cheap; an earlier one begins anew.
   */
  @Nullable FuseDirectoryEntry entry(long index, FuseCaller caller) throws FuseException;
}
