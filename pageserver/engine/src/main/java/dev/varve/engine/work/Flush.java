package dev.varve.engine.work;

import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.util.List;

/**
 * Freezes an open layer that is old enough, and makes a layer file of each frozen layer, so that
 * memory is free again however slow the object store is. A unit is one layer.
 */
final class Flush implements Step {
  private final TimelineLayers layers;
  private final TimelineWriter writer;
  private final ChainBounder bounder;
  private volatile boolean now;

  Flush(TimelineLayers layers, TimelineWriter writer, ChainBounder bounder) {
    this.layers = layers;
    this.writer = writer;
    this.bounder = bounder;
  }

  @Override
  public String name() {
    return "writing a layer";
  }

  @Override
  public StepPool pool() {
    return StepPool.FLUSH;
  }

  /** The open layer is frozen whatever its age. Any thread; it takes a signal, too. */
  void freezeNow() {
    now = true;
  }

  @Override
  public long run() throws IOException {
    if (writeOldest()) {
      return 0;
    }
    boolean freeze = now;
    long pause = writer.freezeIfOld(freeze);
    // Whoever froze a layer since, it holds what had been received.
    boolean isFrozen = !layers.map().frozen().isEmpty();
    if (freeze && (isFrozen || pause == WHEN_SIGNALLED)) {
      now = false;
    }
    return isFrozen ? 0 : pause;
  }

  /** Returns whether a layer was frozen. */
  private boolean writeOldest() throws IOException {
    List<OpenLayer> frozen = layers.map().frozen();
    if (frozen.isEmpty()) {
      return false;
    }
    write(frozen.getLast());
    writer.signalRoom();
    return true;
  }

  private void write(OpenLayer layer) throws IOException {
    Chain chain = new Chain();
    try (DeltaRun out = new DeltaRun(layers, 0, layer.startLsn(), layer.endLsn(), Long.MAX_VALUE)) {
      for (long key : layer.sortedKeys()) {
        chain.clear();
        layer.collectAll(key, chain);
        bounder.begin(key, layer.startLsn(), layers.consistentLsn());
        for (int i = chain.size() - 1; i >= 0; i--) {
          bounder.beforeLsn(chain.lsn(i), out);
          out.add(
              key, chain.lsn(i), chain.kind(i), chain.bytes(i), chain.offset(i), chain.length(i));
          bounder.added(
              chain.kind(i), chain.lsn(i), chain.bytes(i), chain.offset(i), chain.length(i));
        }
        bounder.end(out);
      }
      for (int i = 0; i < layer.recordCount(); i++) {
        out.addBoundary(layer.boundary(i));
      }
      layers.fileWritten(layer, out.finish().getFirst());
      out.keep();
    }
  }
}
