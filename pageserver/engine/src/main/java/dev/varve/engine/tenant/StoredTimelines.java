package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The timelines that the object store holds: what their names lead to, which there are, and their
 * end. Any thread.
 *
 * <p>A removal marks the label first and takes the manifests before the layers that they list: one
 * that ends halfway leaves what cannot be attached, and may be repeated.
 */
final class StoredTimelines {
  private final ObjectStore store;
  private final Random random;
  private final InstantSource clock;

  /**
   * @param random of ids, which nobody must be able to guess
   */
  StoredTimelines(ObjectStore store, Random random, InstantSource clock) {
    this.store = store;
    this.random = random;
    this.clock = clock;
  }

  /** Where a name leads; null: nowhere. */
  @Nullable TimelineId resolve(TimelineName name) throws IOException {
    return StoredName.resolve(store, name);
  }

  /**
   * Makes a name lead to a timeline, unless it leads to one.
   *
   * @param wanted null: to a new one
   * @return where it leads
   */
  TimelineId claimName(TimelineName name, @Nullable TimelineId wanted) throws IOException {
    return StoredName.claim(store, name, wanted == null ? TimelineId.random(random) : wanted);
  }

  /**
   * Writes down what the timeline is called and its layout, before its first object.
   *
   * @throws PageserverException.NotFound when it was deleted
   * @throws PageserverException.LayoutDiffers when it is stored in other shards
   */
  void claim(TimelineLocation location, String name) throws IOException {
    TimelineLabel label = TimelineLabel.read(store, location);
    if (label != null && label.state() == TimelineLabel.State.DELETED) {
      throw new PageserverException.NotFound(
          "timeline "
              + location
              + " is deleted, and what is left of it is not served: delete it again to remove that");
    }
    TimelineLabel inUse = TimelineLabel.inUse(name);
    if (!inUse.equals(label)) {
      StoredLayout.require(store, location);
      inUse.write(store, location);
      if (label != null && !label.name().equals(name)) {
        StoredName.release(
            store, new TimelineName(location.tenant(), label.name()), location.uid());
      }
    }
    StoredLayout.claim(store, location);
  }

  /** The generation that attached it last; 0: the store holds nothing of it. */
  int generation(TimelineLocation location) throws IOException {
    StoredLayout.require(store, location);
    return manifest(location).generation();
  }

  /** Of the cluster that it is of; 0: the store holds nothing of it. */
  long systemIdentifier(TimelineLocation location) throws IOException {
    StoredLayout.require(store, location);
    return manifest(location).systemIdentifier();
  }

  private Manifest manifest(TimelineLocation location) throws IOException {
    return new ManifestStore(store, location.objectPrefix(), 0).load();
  }

  /** Writes down that nobody attaches it any more, and that it is kept. */
  void retain(TimelineLocation location) throws IOException {
    TimelineLabel label = TimelineLabel.read(store, location);
    if (label != null && label.state() == TimelineLabel.State.IN_USE) {
      new TimelineLabel(
              TimelineLabel.State.RETAINED, label.name(), clock.instant().getEpochSecond())
          .write(store, location);
    }
  }

  /**
   * Removes every object of the shard, and with the last one's what the timeline is called. May be
   * repeated.
   */
  void remove(TimelineLocation location) throws IOException {
    StoredLayout.require(store, location);
    TimelineLabel label = TimelineLabel.read(store, location);
    if (label != null && label.state() != TimelineLabel.State.DELETED) {
      new TimelineLabel(TimelineLabel.State.DELETED, label.name(), 0).write(store, location);
    }
    // The oldest first: while one is left it is the newest.
    for (ObjectEntry entry : store.list(location.manifests())) {
      store.delete(entry.name());
    }
    for (ObjectEntry entry : store.list(location.objectPrefix())) {
      if (!entry.name().equals(location.layout())) {
        store.delete(entry.name());
      }
    }
    List<ObjectEntry> left = store.list(location.timelinePrefix());
    if (left.stream().allMatch(entry -> entry.name().equals(location.layout()))) {
      for (ObjectEntry entry : left) {
        store.delete(entry.name());
      }
      if (label != null) {
        StoredName.release(
            store, new TimelineName(location.tenant(), label.name()), location.uid());
        store.delete(location.label());
      }
    }
  }

  /** Every timeline of a tenant but some, by id. */
  List<StoredTimeline> list(String tenant, Set<TimelineId> but) throws IOException {
    String labels = TimelineLocation.labels(tenant);
    List<StoredTimeline> timelines = new ArrayList<>();
    for (ObjectEntry entry : store.list(labels)) {
      TimelineId uid = new TimelineId(entry.name().substring(labels.length()));
      if (!but.contains(uid)) {
        StoredTimeline one = describe(TimelineLocation.whole(tenant, uid));
        if (one != null) {
          timelines.add(one);
        }
      }
    }
    return timelines;
  }

  /** Null: it is gone. */
  private @Nullable StoredTimeline describe(TimelineLocation whole) throws IOException {
    TimelineLabel label = TimelineLabel.read(store, whole);
    if (label == null) {
      return null;
    }
    StoredLayout layout = StoredLayout.read(store, whole);
    List<Manifest> manifests = new ArrayList<>();
    for (TimelineLocation shard : layout.shards(whole)) {
      manifests.add(manifest(shard));
    }
    return StoredTimeline.of(whole.uid(), label, layout, manifests);
  }
}
