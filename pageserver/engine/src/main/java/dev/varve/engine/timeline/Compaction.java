package dev.varve.engine.timeline;

import dev.varve.engine.layer.LayerCursor;
import dev.varve.engine.layer.LayerDescriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Merges delta layers: so many runs of one level, neighbours in LSN, become one run of the next
 * level, sorted by key; long chains get an image on the way. A run is the files of one LSN range,
 * which together stand for all keys. So a read looks into few files however long the history is,
 * and an entry is rewritten once a level. Memory is bounded by a block for each run that is merged.
 * The publisher's thread.
 */
final class Compaction {
  private final TimelineLayers layers;
  private final ChainBounder bounder;
  private final EngineOptions options;
  private volatile boolean paused;

  Compaction(TimelineLayers layers, ChainBounder bounder, EngineOptions options) {
    this.layers = layers;
    this.bounder = bounder;
    this.options = options;
  }

  /**
   * The files of one LSN range, ascending by key.
   *
   * @param mergeable with the run before it: no image lies between the two, which would be hidden
   *     by what is older than it
   */
  private record Run(List<LayerFile> files, boolean mergeable) {
    LayerDescriptor first() {
      return files.getFirst().descriptor();
    }
  }

  /** Begins no merge, and gives up the one that is under way, until told otherwise. Any thread. */
  void pause(boolean wanted) {
    paused = wanted;
  }

  /** Merges once when there is enough to merge; false when there is not. */
  boolean runOnce() throws IOException {
    if (paused) {
      return false;
    }
    List<Run> runs = runs();
    int from = runs.size();
    while (from > 0) {
      int level = runs.get(from - 1).first().level();
      int begin = from - 1;
      while (begin > 0
          && runs.get(begin).mergeable()
          && runs.get(begin - 1).first().level() == level) {
        begin--;
      }
      if (from - begin >= options.compactAfterLayers()) {
        merge(runs.subList(begin, begin + options.compactAfterLayers()), level + 1);
        return true;
      }
      from = begin;
    }
    return false;
  }

  /** Published runs, ascending by LSN. */
  private List<Run> runs() {
    List<LayerFile> deltas =
        layers.map().files().stream()
            .filter(file ->
                !file.descriptor().isImage()
                    && Long.compareUnsigned(
                            file.descriptor().endLsn(), layers.manifest().publishedLsn())
                        <= 0)
            .sorted(
                Comparator.<LayerFile>comparingLong(file -> file.descriptor().startLsn())
                    .thenComparingLong(file -> file.descriptor().firstKey()))
            .toList();
    Set<Long> images =
        layers.map().files().stream()
            .filter(file -> file.descriptor().isImage())
            .map(file -> file.descriptor().endLsn())
            .collect(Collectors.toSet());
    List<Run> runs = new ArrayList<>();
    for (LayerFile file : deltas) {
      if (runs.isEmpty() || runs.getLast().first().startLsn() != file.descriptor().startLsn()) {
        boolean mergeable = !images.contains(file.descriptor().startLsn());
        runs.add(new Run(new ArrayList<>(), mergeable));
      }
      runs.getLast().files().add(file);
    }
    return runs;
  }

  private void merge(List<Run> runs, int level) throws IOException {
    long startLsn = runs.getFirst().first().startLsn();
    long endLsn = runs.getLast().first().endLsn();
    List<Source> sources = new ArrayList<>();
    List<LayerFile> removed = new ArrayList<>();
    for (Run run : runs) {
      sources.add(new Source(run.files()));
      removed.addAll(run.files());
    }
    List<LayerFile> added;
    try (DeltaRun out = new DeltaRun(layers, level, startLsn, endLsn, options.targetLayerBytes())) {
      while (true) {
        Source lowest = null;
        for (Source source : sources) {
          if (source.cursor != null
              && (lowest == null || Long.compareUnsigned(source.key(), lowest.key()) < 0)) {
            lowest = source;
          }
        }
        if (lowest == null) {
          break;
        }
        if (paused) {
          out.discard();
          return;
        }
        mergeKey(lowest.key(), startLsn, sources, out);
      }
      for (Run run : runs) {
        for (LayerFile file : run.files()) {
          file.layer().forEachBoundary(out::addBoundary);
        }
      }
      added = out.finish();
      for (LayerFile file : added) {
        if (paused) {
          out.discard();
          return;
        }
        file.upload();
      }
    }
    layers.replace(removed, added);
  }

  private void mergeKey(long key, long startLsn, List<Source> sources, DeltaRun out)
      throws IOException {
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
        source.advance();
      }
    }
    bounder.end(out);
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
