package dev.varve.engine.check;

import dev.varve.engine.layer.LayerSource;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;

/**
 * A layer's object, read in windows of some megabytes: who reads all of it makes few requests. Not
 * thread-safe.
 */
final class ObjectSource implements LayerSource {
  private static final int WINDOWS = 3;

  private final ObjectStore store;
  private final String name;
  private final long length;
  private final int windowBytes;
  private final CheckProgress progress;
  private final long[] starts = new long[WINDOWS];
  private final byte[][] windows = new byte[WINDOWS][];
  private int oldest;

  /**
   * @param windowBytes what is read at once; 0: only what is asked for
   */
  ObjectSource(
      ObjectStore store, String name, long length, int windowBytes, CheckProgress progress) {
    this.store = store;
    this.name = name;
    this.length = length;
    this.windowBytes = windowBytes;
    this.progress = progress;
  }

  @Override
  public byte[] read(long offset, int bytes) throws IOException {
    if (windowBytes == 0 || bytes > windowBytes) {
      return fetch(offset, bytes);
    }
    byte[] result = new byte[bytes];
    int done = 0;
    while (done < bytes) {
      long at = offset + done;
      long start = at / windowBytes * windowBytes;
      byte[] window = window(start);
      int from = (int) (at - start);
      int count = Math.min(bytes - done, window.length - from);
      if (count <= 0) {
        return fetch(offset, bytes); // the store says that the object ends before
      }
      System.arraycopy(window, from, result, done, count);
      done += count;
    }
    return result;
  }

  private byte[] window(long start) throws IOException {
    for (int i = 0; i < WINDOWS; i++) {
      if (windows[i] != null && starts[i] == start) {
        return windows[i];
      }
    }
    byte[] window = fetch(start, (int) Math.min(windowBytes, length - start));
    windows[oldest] = window;
    starts[oldest] = start;
    oldest = (oldest + 1) % WINDOWS;
    return window;
  }

  private byte[] fetch(long offset, int bytes) throws IOException {
    byte[] read = store.getRange(name, offset, bytes);
    progress.bytesRead.addAndGet(bytes);
    return read;
  }
}
