package dev.varve.engine.ingest;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.tree.ImageRun;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;

/**
 * What one record makes of more keys than the open layer is to hold, written to image layers at the
 * record's end, of which memory holds a block. They are published together with the delta layer
 * that ends there.
 *
 * <p>For the images to be found before anything older of the same keys, no delta layer and no layer
 * in memory reaches over their LSN: everything before the record is written to files first ({@link
 * RecordHost#writeOut}), the open layer ends with the record, and compaction does not merge across.
 * The record itself puts nothing of these keys into the open layer.
 */
public final class RecordImages {
  private final TimelineLayers layers;
  private final long targetLayerBytes;

  public RecordImages(TimelineLayers layers, EngineOptions options) {
    this.layers = layers;
    this.targetLayerBytes = options.targetLayerBytes();
  }

  /** Gives every key to the run; done again from the start after a failure of disk or store. */
  interface Content {
    void writeTo(ImageRun images) throws IOException;
  }

  /**
   * Writes images at {@code lsn}, however long disk or store are failing.
   *
   * @param work for messages about that
   */
  void write(String work, long lsn, RecordHost host, Content content) {
    while (!writeOnce(work, lsn, host, content)) {
      host.requireHealthy();
    }
    layers.failures().over(work);
  }

  /** Returns false when it has to be done again, after a while that has passed. */
  private boolean writeOnce(String work, long lsn, RecordHost host, Content content) {
    try (ImageRun images = new ImageRun(layers, lsn, targetLayerBytes)) {
      content.writeTo(images);
      layers.imagesWritten(images.finish());
      images.keep();
      return true;
    } catch (IOException e) {
      host.retryLater(work, e);
      return false;
    }
  }
}
