package dev.varve.engine.tree;

import dev.varve.engine.layer.ImagePage;
import dev.varve.engine.layer.LayerWriter;
import dev.varve.engine.layer.ValueKind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A stream of pages and values at one LSN, written to as many image layers as it takes: a new one
 * begins when a key is not above the one before, and when a file has grown large. Finished files
 * are uploaded at once, so that the local disk has to hold no more than it is allowed to. One
 * thread. Closing it gives up all of its files, here and there, unless they were {@linkplain #keep
 * kept}.
 */
public final class ImageRun implements AutoCloseable {
  private final TimelineLayers layers;
  private final long lsn;
  private final long targetBytes;
  private final List<LayerFile> files = new ArrayList<>();
  private final byte[] encoded = new byte[ImagePage.MAX_BYTES];
  private @Nullable LayerWriter writer;
  private long lastKey;
  private boolean kept;

  public ImageRun(TimelineLayers layers, long lsn, long targetBytes) {
    this.layers = layers;
    this.lsn = lsn;
    this.targetBytes = targetBytes;
  }

  public void page(long key, byte[] page) throws IOException {
    int length = ImagePage.encode(page, encoded);
    add(key, length == 0 ? ValueKind.ZERO_PAGE : ValueKind.IMAGE, encoded, length);
  }

  public void zeroPage(long key) throws IOException {
    add(key, ValueKind.ZERO_PAGE, encoded, 0);
  }

  public void value(long key, byte[] bytes) throws IOException {
    add(key, ValueKind.VALUE, bytes, bytes.length);
  }

  private void add(long key, ValueKind kind, byte[] bytes, int length) throws IOException {
    LayerWriter current = writer;
    if (current != null
        && (Long.compareUnsigned(key, lastKey) <= 0 || current.rawBytes() >= targetBytes)) {
      roll(current);
      current = null;
    }
    if (current == null) {
      current = layers.newLayer(true, 0, key, lsn, lsn);
      writer = current;
    }
    current.add(key, lsn, kind, bytes, 0, length);
    lastKey = key;
  }

  private void roll(LayerWriter current) throws IOException {
    LayerFile file = layers.adopt(current.finish(lastKey));
    files.add(file);
    writer = null;
    layers.upload(file);
  }

  /** Ends the last file; returns all of them. */
  public List<LayerFile> finish() throws IOException {
    if (writer != null) {
      roll(writer);
    }
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
