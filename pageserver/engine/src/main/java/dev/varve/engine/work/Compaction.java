package dev.varve.engine.work;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.tree.LayerFile;
import dev.varve.engine.tree.TimelineLayers;
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
 * and an entry is rewritten once a level. A step of its own, a unit of one merge at a time: nothing
 * waits for it, and what is published meanwhile lies above what it merges.
 */
final class Compaction implements Step {
  private final TimelineLayers layers;
  private final ChainBounder bounder;
  private final EngineOptions options;
  private @Nullable Merge merge;
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

  /** Does nothing more until told otherwise. Any thread. */
  void pause(boolean wanted) {
    paused = wanted;
  }

  @Override
  public String name() {
    return "merging layers";
  }

  @Override
  public long run() throws IOException {
    if (paused) {
      return WHEN_SIGNALLED;
    }
    Merge current = merge == null ? next() : merge;
    if (current == null) {
      return WHEN_SIGNALLED;
    }
    merge = current;
    boolean keeps = false;
    try {
      keeps = !current.step();
    } catch (IOException e) {
      keeps = current.isRetriable();
      throw e;
    } finally {
      if (!keeps) {
        close();
      }
    }
    return 0;
  }

  @Override
  public void close() throws IOException {
    Merge current = merge;
    merge = null;
    if (current != null) {
      current.close();
    }
  }

  /** What is to be merged next; null when there is not enough. */
  private @Nullable Merge next() {
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
        return new Merge(
            layers,
            bounder,
            level + 1,
            runs.subList(begin, begin + options.compactAfterLayers()).stream()
                .map(Run::files)
                .toList(),
            options.targetLayerBytes());
      }
      from = begin;
    }
    return null;
  }

  /** Published runs, ascending by LSN. */
  private List<Run> runs() {
    long publishedLsn = layers.manifest().publishedLsn();
    List<LayerFile> deltas =
        layers.map().files().stream()
            .filter(file ->
                !file.descriptor().isImage()
                    && Long.compareUnsigned(file.descriptor().endLsn(), publishedLsn) <= 0)
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
}
