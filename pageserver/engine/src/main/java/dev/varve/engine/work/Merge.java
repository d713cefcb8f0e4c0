package dev.varve.engine.work;

import dev.varve.engine.layer.LayerCursor;
import dev.varve.engine.tree.DeltaRun;
import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One merge of neighbouring runs into a larger one, unit by unit: so many bytes of entries, the
 * record boundaries of one file, the upload of one file, the manifest. Memory is bounded by a block
 * for each run. What fails before the files are whole ends the merge; an upload that fails may be
 * tried again. Closing gives up what is not in a manifest. One thread.
 */
final class Merge implements AutoCloseable {
  private static final long UNIT_BYTES = 1 << 20;

  private final TimelineLayers layers;
  private final ChainBounder bounder;
  private final long startLsn;
  private final List<LayerFile> replaced = new ArrayList<>();
  private final List<Source> sources = new ArrayList<>();
  private final DeltaRun out;

  /** Files whose record boundaries were taken over. */
  private int bounded;

  private @Nullable List<LayerFile> written;
  private int uploaded;
  private boolean committing;

  /**
   * @param runs the files of each run, ascending by LSN and within it by key
   */
  Merge(
      TimelineLayers layers,
      ChainBounder bounder,
      int level,
      List<List<LayerFile>> runs,
      long targetBytes) {
    this.layers = layers;
    this.bounder = bounder;
    this.startLsn = runs.getFirst().getFirst().descriptor().startLsn();
    long endLsn = runs.getLast().getFirst().descriptor().endLsn();
    for (List<LayerFile> run : runs) {
      sources.add(new Source(run));
      replaced.addAll(run);
    }
    out = new DeltaRun(layers, level, startLsn, endLsn, targetBytes);
  }

  /** Whether a unit that failed may be done once more: its files are whole, and still its own. */
  boolean isRetriable() {
    return written != null && !committing;
  }

  /** Does one unit; returns whether it was the last one. */
  boolean step() throws IOException {
    List<LayerFile> files = written;
    if (files == null) {
      if (!mergeKeys() && !takeBoundaries()) {
        written = out.finish();
      }
      return false;
    }
    if (uploaded < files.size()) {
      files.get(uploaded).upload();
      uploaded++;
      return false;
    }
    committing = true;
    out.keep();
    layers.replace(replaced, files);
    return true;
  }

  /** Returns false when no keys are left. */
  private boolean mergeKeys() throws IOException {
    long bytes = 0;
    while (bytes < UNIT_BYTES) {
      Source lowest = null;
      for (Source source : sources) {
        if (source.cursor != null
            && (lowest == null || Long.compareUnsigned(source.key(), lowest.key()) < 0)) {
          lowest = source;
        }
      }
      if (lowest == null) {
        return false;
      }
      bytes += mergeKey(lowest.key());
    }
    return true;
  }

  private long mergeKey(long key) throws IOException {
    long bytes = 0;
    bounder.begin(key, startLsn, layers.consistentLsn());
    for (Source source : sources) {
      while (source.cursor != null && source.key() == key) {
        LayerCursor cursor = source.cursor;
        bounder.beforeLsn(cursor.lsn(), out);
        out.add(
            key,
            cursor.lsn(),
            cursor.kind(),
            cursor.bytes(),
            cursor.valueOffset(),
            cursor.valueLength());
        bounder.added(
            cursor.kind(),
            cursor.lsn(),
            cursor.bytes(),
            cursor.valueOffset(),
            cursor.valueLength());
        bytes += cursor.valueLength() + Long.BYTES;
        source.advance();
      }
    }
    bounder.end(out);
    return bytes;
  }

  /** Returns false when all are taken over. */
  private boolean takeBoundaries() throws IOException {
    if (bounded == replaced.size()) {
      return false;
    }
    replaced.get(bounded).layer().forEachBoundary(out::addBoundary);
    bounded++;
    return true;
  }

  @Override
  public void close() throws IOException {
    out.close();
  }

  /** The entries of one run, file after file. */
  private static final class Source {
    private final List<LayerFile> files;
    private int file;
    @Nullable LayerCursor cursor;

    Source(List<LayerFile> files) {
      this.files = files;
      this.cursor = files.getFirst().layer().cursor(0);
      advance();
    }

    long key() {
      return cursor == null ? -1 : cursor.key();
    }

    void advance() {
      while (cursor != null && !cursor.next()) {
        file++;
        cursor = file < files.size() ? files.get(file).layer().cursor(0) : null;
      }
    }
  }
}
