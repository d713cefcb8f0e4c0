package dev.varve.engine.layer;

import java.io.IOException;

/** Where a layer's bytes are: the local disk or the object store. Safe for many threads. */
public interface LayerSource {
  /**
   * Bytes {@code offset} to {@code offset + length}.
   *
   * @throws IOException when they cannot be had now, or the file ends before that
   */
  byte[] read(long offset, int length) throws IOException;
}
