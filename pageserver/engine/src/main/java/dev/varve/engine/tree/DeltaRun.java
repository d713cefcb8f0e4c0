package dev.varve.engine.tree;

import dev.varve.engine.layer.LayerWriter;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.layer.ValueKind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The delta layers of one LSN range, written in ascending key order: together they stand for every
 * key. A new file begins at a new key when one has grown large. The record boundaries go to the
 * last file. One thread. Closing it gives up all of its files unless they were {@linkplain #keep
 * kept}.
 */
public final class DeltaRun implements AutoCloseable {
  private final TimelineLayers layers;
  private final int level;
  private final long startLsn;
  private final long endLsn;
  private final long targetBytes;
  private final List<LayerFile> files = new ArrayList<>();
  private @Nullable LayerWriter writer;
  private long lastKey;
  private boolean kept;

  public DeltaRun(TimelineLayers layers, int level, long startLsn, long endLsn, long targetBytes) {
    this.layers = layers;
    this.level = level;
    this.startLsn = startLsn;
    this.endLsn = endLsn;
    this.targetBytes = targetBytes;
  }

  public void add(long key, long lsn, ValueKind kind, byte[] bytes, int offset, int length)
      throws IOException {
    LayerWriter current = current();
    if (current.entryCount() > 0 && key != lastKey && current.rawBytes() >= targetBytes) {
      finishFile(current, key - 1);
      current = layers.newLayer(false, level, key, startLsn, endLsn);
      writer = current;
    }
    current.add(key, lsn, kind, bytes, offset, length);
    lastKey = key;
  }

  public void addBoundary(RecordBoundary boundary) throws IOException {
    current().addBoundary(boundary);
  }

  private LayerWriter current() throws IOException {
    LayerWriter current = writer;
    if (current == null) {
      current = layers.newLayer(false, level, 0, startLsn, endLsn);
      writer = current;
    }
    return current;
  }

  private void finishFile(LayerWriter current, long coversUpTo) throws IOException {
    files.add(layers.adopt(current.finish(coversUpTo)));
    writer = null;
  }

  /** Ends the last file; returns all of them. */
  public List<LayerFile> finish() throws IOException {
    finishFile(current(), -1L);
    return files;
  }

  /** The files have an owner from now on: closing leaves them. */
  public void keep() {
    kept = true;
  }

  @Override
  public void close() throws IOException {
    try {
      if (writer != null) {
        writer.close();
      }
    } finally {
      if (!kept) {
        layers.abandon(files);
      }
    }
  }
}
