package dev.varve.engine.work;

import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the newest layers to the local disk, which is empty after a move: reads of them need the
 * object store no longer. A unit is one layer. Reads fetch what they need themselves, so that an
 * error ends it.
 */
final class WarmUp implements Step {
  private static final Logger log = LoggerFactory.getLogger(WarmUp.class);

  /** Of one timeline: a pageserver may be given many at once, and their disk is one. */
  private static final long MOST_BYTES = 256L << 20;

  private final String timeline;
  private final TimelineLayers layers;
  private final BooleanSupplier stopped;
  private long bytes;
  private boolean done;

  /**
   * @param timeline for messages
   * @param stopped asked now and then
   */
  WarmUp(String timeline, TimelineLayers layers, BooleanSupplier stopped) {
    this.timeline = timeline;
    this.layers = layers;
    this.stopped = stopped;
  }

  @Override
  public String name() {
    return "warming";
  }

  @Override
  public StepPool pool() {
    return StepPool.IDLE;
  }

  @Override
  public long run() {
    if (!done) {
      try {
        done = !fetchNext();
      } catch (IOException e) {
        done = true;
        log.info("{}: layers stay in the object store, none is fetched: {}", timeline, "" + e);
      } catch (RuntimeException | Error e) {
        done = true; // reads meet the same
        log.error("{}: layers stay in the object store, none is fetched", timeline, e);
      }
    }
    return done ? WHEN_SIGNALLED : 0;
  }

  /** Fetches the newest layer that is not local; false when that was the last one. */
  private boolean fetchNext() throws IOException {
    for (LayerFile file : layers.map().files()) {
      if (!file.isLocal()) {
        bytes += file.descriptor().fileBytes();
        return bytes <= MOST_BYTES && layers.fetch(file, stopped);
      }
    }
    return false;
  }
}
