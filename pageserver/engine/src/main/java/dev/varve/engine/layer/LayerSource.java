package dev.varve.engine.layer;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Where a layer's bytes are: the local disk or the object store. Safe for many threads. */
public interface LayerSource {
  /**
   * Bytes {@code offset} to {@code offset + length}.
   *
   * @throws IOException when they cannot be had now, or the file ends before that
   */
  byte[] read(long offset, int length) throws IOException;

  /**
   * The same bytes from another copy: those that {@link #read} had are damaged.
   *
   * @param damage for the log
   * @return null when there is no other copy
   * @throws IOException when the other copy cannot be read now
   */
  default byte @Nullable [] readOtherCopy(long offset, int length, String damage)
      throws IOException {
    return null;
  }
}
