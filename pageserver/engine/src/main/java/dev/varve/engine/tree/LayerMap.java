package dev.varve.engine.tree;

import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.RecordBoundary;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An immutable snapshot of a timeline's layers. Reading goes from the newest to the oldest: the
 * open layer, the frozen ones, then the files by descending end LSN; at the same end an image comes
 * before a delta, since it includes it.
 */
public final class LayerMap {
  private static final Comparator<LayerFile> NEWEST_FIRST =
      (a, b) -> {
        int byEnd = Long.compareUnsigned(b.descriptor().endLsn(), a.descriptor().endLsn());
        if (byEnd != 0) {
          return byEnd;
        }
        return Boolean.compare(b.descriptor().isImage(), a.descriptor().isImage());
      };

  private final @Nullable OpenLayer open;
  private final List<OpenLayer> frozen;
  private final List<LayerFile> files;

  /** The same files as an array, for reading. */
  private final LayerFile[] sorted;

  private LayerMap(@Nullable OpenLayer open, List<OpenLayer> frozen, List<LayerFile> files) {
    this.open = open;
    this.frozen = frozen;
    this.files = files;
    this.sorted = files.toArray(LayerFile[]::new);
  }

  static LayerMap of(Collection<LayerFile> files) {
    return new LayerMap(null, List.of(), files.stream().sorted(NEWEST_FIRST).toList());
  }

  /** The layer that the writer appends to. */
  public @Nullable OpenLayer open() {
    return open;
  }

  /** Newest first. */
  public List<OpenLayer> frozen() {
    return frozen;
  }

  /** Newest first. */
  public List<LayerFile> files() {
    return files;
  }

  LayerMap withOpen(OpenLayer layer) {
    return new LayerMap(layer, frozen, files);
  }

  /** The open layer becomes the newest frozen one, {@code next} the open one. */
  LayerMap withFrozen(OpenLayer next) {
    List<OpenLayer> more = new ArrayList<>();
    if (open != null) {
      more.add(open);
    }
    more.addAll(frozen);
    return new LayerMap(next, List.copyOf(more), files);
  }

  /** A frozen layer's file takes its place. */
  LayerMap withFile(OpenLayer written, LayerFile file) {
    return new LayerMap(
        open,
        frozen.stream().filter(layer -> layer != written).toList(),
        replaced(List.of(), List.of(file)));
  }

  LayerMap withFiles(Collection<LayerFile> removed, Collection<LayerFile> added) {
    return new LayerMap(open, frozen, replaced(removed, added));
  }

  private List<LayerFile> replaced(Collection<LayerFile> removed, Collection<LayerFile> added) {
    List<LayerFile> changed = new ArrayList<>(files);
    changed.removeAll(removed);
    changed.addAll(added);
    changed.sort(NEWEST_FIRST);
    return List.copyOf(changed);
  }

  /**
   * Adds the key's entries at or below {@code lsn} to the chain, newest first, until it is complete
   * or nothing is left.
   */
  public void collect(long key, long lsn, Chain chain) {
    if (open != null) {
      open.collect(key, lsn, chain);
    }
    for (OpenLayer layer : frozen) {
      if (chain.isComplete()) {
        return;
      }
      layer.collect(key, lsn, chain);
    }
    collectFromFiles(key, lsn, chain);
  }

  /** The same, from the files alone. */
  public void collectFromFiles(long key, long lsn, Chain chain) {
    for (LayerFile file : sorted) {
      if (chain.isComplete()) {
        return;
      }
      LayerDescriptor descriptor = file.descriptor();
      if (descriptor.covers(key)
          && Long.compareUnsigned(
                  descriptor.isImage() ? descriptor.endLsn() : descriptor.startLsn() + 1, lsn)
              <= 0) {
        file.collect(key, lsn, chain);
      }
    }
  }

  /** The last record that ends at or before {@code lsn}; null when no layer knows one. */
  public @Nullable RecordBoundary boundaryAtOrBefore(long lsn) {
    if (open != null) {
      RecordBoundary found = open.boundaryAtOrBefore(lsn);
      if (found != null) {
        return found;
      }
    }
    for (OpenLayer layer : frozen) {
      RecordBoundary found = layer.boundaryAtOrBefore(lsn);
      if (found != null) {
        return found;
      }
    }
    for (LayerFile file : sorted) {
      LayerDescriptor descriptor = file.descriptor();
      if (!descriptor.isImage() && Long.compareUnsigned(descriptor.startLsn(), lsn) < 0) {
        RecordBoundary found = file.boundaryAtOrBefore(lsn);
        if (found != null) {
          return found;
        }
      }
    }
    return null;
  }
}
