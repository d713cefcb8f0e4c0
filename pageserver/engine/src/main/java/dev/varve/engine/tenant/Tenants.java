package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.timeline.EngineOptions;
import dev.varve.engine.timeline.SharedResources;
import dev.varve.engine.timeline.Timeline;
import dev.varve.engine.timeline.TimelineLayers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The timelines that one pageserver has attached, and what they share: the object store, the local
 * disk and the caches. Any thread.
 */
public final class Tenants implements AutoCloseable {
  /** Where no objects are: a store that answers at all lists it. */
  private static final String NOTHING = "readiness/";

  private final ObjectStore store;
  private final Path directory;
  private final EngineOptions options;
  private final LongSupplier nanos;
  private final SharedResources resources;
  private final ConcurrentHashMap<TimelineId, Timeline> timelines = new ConcurrentHashMap<>();

  /**
   * What is being attached, with what ends its calls of the object store. Its monitor is held for
   * no I/O: a timeline whose objects do not come holds up no other.
   */
  private final ConcurrentHashMap<TimelineId, StoreDeadline> attaching = new ConcurrentHashMap<>();

  /** Of attachments that failed and may be tried again: what they have claimed is theirs. */
  private final ConcurrentHashMap<TimelineId, ManifestStore> claims = new ConcurrentHashMap<>();

  private final SecureRandom owners = new SecureRandom();

  /**
   * @param directory for layer files; a cache, which may be empty
   * @param nanos a monotonic clock
   */
  public Tenants(ObjectStore store, Path directory, EngineOptions options, LongSupplier nanos) {
    this.store = store;
    this.directory = directory;
    this.options = options;
    this.nanos = nanos;
    this.resources = SharedResources.of(options);
  }

  /**
   * Attaches a timeline: the one that the object store holds, or an empty one to import a base
   * backup into. Whoever held it before is fenced.
   *
   * @param generation the wanted one, or 0 for the next
   * @throws PageserverException.LayoutDiffers when the object store holds it in other shards
   */
  public Timeline attach(TimelineId id, int generation) {
    StoreDeadline storeCalls = StoreDeadline.open();
    synchronized (attaching) {
      if (timelines.containsKey(id) || attaching.putIfAbsent(id, storeCalls) != null) {
        throw new PageserverException.InvalidRequest(id + " is attached already");
      }
    }
    try {
      Timeline timeline = storeCalls.call(() -> load(id, generation));
      boolean wanted;
      synchronized (attaching) {
        wanted = !storeCalls.isOver();
        if (wanted) {
          timelines.put(id, timeline);
          claims.remove(id);
        }
      }
      if (!wanted) {
        timeline.close();
        throw new PageserverException.Unavailable(
            id + " was detached, or its caller gave up, while it was being attached", null);
      }
      return timeline;
    } finally {
      attaching.remove(id);
    }
  }

  private Timeline load(TimelineId id, int generation) {
    claimLayout(id);
    ManifestStore manifests =
        claims.computeIfAbsent(
            id, key -> new ManifestStore(store, key.objectPrefix(), owners.nextLong()));
    TimelineLayers layers =
        TimelineLayers.attach(
            store,
            manifests,
            id.objectPrefix(),
            id.localDirectory(directory),
            resources,
            generation,
            options,
            nanos);
    try {
      return new Timeline(id.toString(), id.shard(), layers, options, resources.pageCache(), nanos);
    } catch (RuntimeException | Error e) {
      layers.close(); // what it holds of files and memory
      throw e;
    }
  }

  private void claimLayout(TimelineId id) {
    try {
      StoredLayout.claim(store, id);
    } catch (IOException e) {
      throw unavailable("write down the layout of " + id, e);
    }
  }

  public @Nullable Timeline find(TimelineId id) {
    return timelines.get(id);
  }

  /** Every attached timeline's id, sorted. */
  public List<TimelineId> list() {
    return timelines.keySet().stream().sorted(Comparator.comparing(TimelineId::toString)).toList();
  }

  /**
   * Stops serving a timeline, or attaching it. What was published stays in the object store, and on
   * the local disk for the next attachment here.
   */
  public void detach(TimelineId id) {
    Timeline timeline;
    synchronized (attaching) {
      StoreDeadline attachment = attaching.get(id);
      if (attachment != null) {
        attachment.expire();
      }
      timeline = timelines.remove(id);
      claims.remove(id);
    }
    if (timeline != null) {
      timeline.close();
    }
  }

  /**
   * Removes what the local disk holds of a timeline that is not attached and will not be soon.
   *
   * @throws PageserverException.Unavailable when the disk refuses
   */
  public void removeLocalFiles(TimelineId id) {
    if (timelines.containsKey(id)) {
      throw new PageserverException.InvalidRequest(id + " is attached; detach it first");
    }
    Path local = id.localDirectory(directory);
    try (Stream<Path> files = Files.exists(local) ? Files.list(local) : Stream.empty()) {
      // Directories are those of shards.
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        Files.delete(file);
      }
    } catch (IOException | UncheckedIOException e) {
      throw unavailable("remove the local files of " + id, e);
    }
  }

  /**
   * The generation that attached the timeline last, by what the object store holds; 0 when it holds
   * nothing of it.
   *
   * @throws PageserverException.LayoutDiffers when it holds the timeline in other shards
   */
  public int storedGeneration(TimelineId id) {
    try {
      StoredLayout.require(store, id);
      return new ManifestStore(store, id.objectPrefix(), 0).load().generation();
    } catch (IOException e) {
      throw unavailable("read the manifest of " + id, e);
    }
  }

  /**
   * Removes every object of a timeline that is not attached; nothing happens when there are none.
   * May be repeated after a failure. Another pageserver that still holds the timeline would write
   * on without being fenced: detach it there first.
   *
   * @throws PageserverException.LayoutDiffers when it is stored in other shards: none are removed
   */
  public void deleteObjects(TimelineId id) {
    if (timelines.containsKey(id)) {
      throw new PageserverException.InvalidRequest(id + " is attached; detach it first");
    }
    try {
      StoredLayout.remove(store, id);
    } catch (IOException e) {
      throw unavailable("remove the objects of " + id, e);
    }
  }

  /**
   * Asks the object store for a listing of nothing, within the caller's {@link StoreDeadline}.
   *
   * @throws IOException when it does not answer
   */
  public void askStore() throws IOException {
    store.list(NOTHING);
  }

  /**
   * What {@link #askStore} met, which any timeline would; null: nothing, as far as it was asked.
   */
  public @Nullable StoreFailure storeFailure() {
    return store.failure(NOTHING);
  }

  private static PageserverException unavailable(String what, Exception e) {
    return new PageserverException.Unavailable("cannot " + what + ": " + FailureText.of(e), e);
  }

  public SharedResources resources() {
    return resources;
  }

  @Override
  public void close() {
    for (TimelineId id : list()) {
      detach(id);
    }
  }
}
