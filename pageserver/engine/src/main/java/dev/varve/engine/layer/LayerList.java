package dev.varve.engine.layer;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The layers of a timeline, as parts that are objects of their own and the changes since. A commit
 * writes the changes; now and then they become a part, which takes in the parts before it that are
 * not much larger. So each part has many times the changes of the next one, and there are few.
 * Immutable.
 */
public final class LayerList {
  static final LayerList EMPTY = new LayerList(List.of(), List.of(), List.of(), List.of());

  /** As many parts has a list at most, whatever its length. */
  static final int MAX_PARTS = 6;

  /** A part has so many times the changes of the next one, or takes it in. */
  private static final int GROWTH = 8;

  private final List<ManifestPart> parts;
  private final List<LayerDescriptor> added;
  private final List<LayerId> removed;
  private final List<LayerDescriptor> layers;

  private LayerList(
      List<ManifestPart> parts,
      List<LayerDescriptor> added,
      List<LayerId> removed,
      List<LayerDescriptor> layers) {
    this.parts = List.copyOf(parts);
    this.added = List.copyOf(added);
    this.removed = List.copyOf(removed);
    this.layers = List.copyOf(layers);
  }

  /** Of layers that are in no part. */
  static LayerList of(Collection<LayerDescriptor> layers) {
    List<LayerDescriptor> all = List.copyOf(layers);
    return new LayerList(List.of(), all, List.of(), all);
  }

  /**
   * Of what an object store has.
   *
   * @throws IllegalArgumentException when a layer is added twice, or removed and not there
   */
  static LayerList of(
      List<ManifestPart> parts, List<LayerDescriptor> added, List<LayerId> removed) {
    Map<LayerId, LayerDescriptor> layers = new LinkedHashMap<>();
    for (ManifestPart part : parts) {
      apply(layers, part.removed(), part.added());
    }
    apply(layers, removed, added);
    return new LayerList(parts, added, removed, new ArrayList<>(layers.values()));
  }

  private static void apply(
      Map<LayerId, LayerDescriptor> layers, List<LayerId> removed, List<LayerDescriptor> added) {
    for (LayerId id : removed) {
      if (layers.remove(id) == null) {
        throw new IllegalArgumentException("a layer that is not listed is removed: " + id);
      }
    }
    for (LayerDescriptor layer : added) {
      if (layers.put(layer.id(), layer) != null) {
        throw new IllegalArgumentException("a layer is listed twice: " + layer.name());
      }
    }
  }

  /** All layers. */
  public List<LayerDescriptor> layers() {
    return layers;
  }

  /** Objects that have the layers, but for the changes since. */
  public List<ManifestPart> parts() {
    return parts;
  }

  /** Layers that are in no part yet. */
  List<LayerDescriptor> added() {
    return added;
  }

  /** Layers of parts that are listed no more. */
  List<LayerId> removed() {
    return removed;
  }

  /** What a commit writes of the list, about. */
  int changedBytes() {
    return added.size() * LayerTable.ADDED_BYTES + removed.size() * LayerTable.REMOVED_BYTES;
  }

  LayerList with(Collection<LayerDescriptor> more) {
    return new LayerList(parts, joined(added, more), removed, joined(layers, more));
  }

  /**
   * The list with {@code more} in the place of {@code gone}.
   *
   * @throws IllegalArgumentException when one of these is not listed
   */
  LayerList replaced(Collection<LayerDescriptor> gone, Collection<LayerDescriptor> more) {
    Set<LayerDescriptor> unlisted = new HashSet<>(gone);
    List<LayerDescriptor> left = without(layers, unlisted);
    if (left.size() != layers.size() - unlisted.size()) {
      throw new IllegalArgumentException("a layer that is not listed is removed");
    }
    List<LayerDescriptor> addedLeft = without(added, unlisted);
    List<LayerId> removedNow = new ArrayList<>(removed);
    if (addedLeft.size() != added.size() - unlisted.size()) {
      unlisted.removeAll(new HashSet<>(added));
      gone.stream().filter(unlisted::contains).map(LayerDescriptor::id).forEach(removedNow::add);
    }
    return new LayerList(parts, joined(addedLeft, more), removedNow, joined(left, more));
  }

  /** The same layers, all of which are in parts then; the last is a new one. */
  LayerList folded(String name) {
    int kept = parts.size();
    long changes = (long) added.size() + removed.size();
    while (kept > 0 && (kept >= MAX_PARTS || parts.get(kept - 1).changes() < GROWTH * changes)) {
      kept--;
      changes += parts.get(kept).changes();
    }
    if (kept == 0) {
      ManifestPart all = new ManifestPart(name, layers, List.of());
      return new LayerList(List.of(all), List.of(), List.of(), layers);
    }
    Map<LayerId, LayerDescriptor> took = new LinkedHashMap<>();
    List<LayerId> gone = new ArrayList<>();
    for (ManifestPart part : parts.subList(kept, parts.size())) {
      fold(took, gone, part.removed(), part.added());
    }
    fold(took, gone, removed, added);
    List<ManifestPart> now = new ArrayList<>(parts.subList(0, kept));
    now.add(new ManifestPart(name, new ArrayList<>(took.values()), gone));
    return new LayerList(now, List.of(), List.of(), layers);
  }

  private static void fold(
      Map<LayerId, LayerDescriptor> took,
      List<LayerId> gone,
      List<LayerId> removed,
      List<LayerDescriptor> added) {
    for (LayerId id : removed) {
      if (took.remove(id) == null) {
        gone.add(id); // of a part before
      }
    }
    added.forEach(layer -> took.put(layer.id(), layer));
  }

  /** Whether this list is {@code base} and changes since. */
  boolean isChanged(LayerList base) {
    return parts.equals(base.parts);
  }

  /**
   * This list with the parts of {@code folded}, which has the layers of {@code base}, of which this
   * one {@linkplain #isChanged is a changed one}.
   */
  LayerList onto(LayerList base, LayerList folded) {
    Set<LayerDescriptor> before = new HashSet<>(base.layers);
    Set<LayerDescriptor> now = new HashSet<>(layers);
    List<LayerId> gone =
        base.layers.stream()
            .filter(layer -> !now.contains(layer))
            .map(LayerDescriptor::id)
            .toList();
    return new LayerList(folded.parts, without(added, before), gone, layers);
  }

  private static List<LayerDescriptor> without(
      List<LayerDescriptor> all, Set<LayerDescriptor> gone) {
    return all.stream().filter(layer -> !gone.contains(layer)).toList();
  }

  private static List<LayerDescriptor> joined(
      List<LayerDescriptor> first, Collection<LayerDescriptor> second) {
    List<LayerDescriptor> all = new ArrayList<>(first.size() + second.size());
    all.addAll(first);
    all.addAll(second);
    return all;
  }

  /** The same layers from the same objects. */
  @Override
  public boolean equals(Object other) {
    return this == other
        || other instanceof LayerList list
            && names().equals(list.names())
            && removed.equals(list.removed)
            && added.equals(list.added)
            && layers.equals(list.layers);
  }

  private List<String> names() {
    return parts.stream().map(ManifestPart::name).toList();
  }

  @Override
  public int hashCode() {
    return names().hashCode() * 31 + added.hashCode();
  }

  @Override
  public String toString() {
    return layers.size() + " layers, " + added.size() + " of them since " + names();
  }
}
