package dev.varve.engine.tenant;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.timeline.SharedResources;
import dev.varve.engine.timeline.Timeline;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Set;
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
  private final StoredTimelines stored;
  private final ConcurrentHashMap<TimelineName, Held> timelines = new ConcurrentHashMap<>();

  /**
   * What is being attached, with what ends its calls of the object store. Its monitor is held for
   * no I/O: a timeline whose objects do not come holds up no other.
   */
  private final ConcurrentHashMap<TimelineName, Attempt> attaching = new ConcurrentHashMap<>();

  /** Of attachments that failed and may be tried again: what they have claimed is theirs. */
  private final ConcurrentHashMap<TimelineName, Claim> claims = new ConcurrentHashMap<>();

  private final SecureRandom random = new SecureRandom();

  private record Held(Timeline timeline, TimelineLocation location) {}

  private record Attempt(StoreDeadline storeCalls, TimelineLocation location) {}

  private record Claim(ManifestStore manifests, TimelineLocation location) {}

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
    this.stored = new StoredTimelines(store, random, InstantSource.system());
  }

  /** Attaches the timeline that the name leads to, or else a new one. */
  public Timeline attach(TimelineName id, int generation) {
    return attach(id, claimName(id, null), generation);
  }

  /**
   * Attaches a timeline: the one that the object store holds, or an empty one to import a base
   * backup into. Whoever held it before is fenced.
   *
   * @param id what it is called from now on
   * @param generation the wanted one, or 0 for the next
   * @throws PageserverException.LayoutDiffers when the object store holds it in other shards
   * @throws PageserverException.NotFound when it was deleted
   */
  public Timeline attach(TimelineName id, TimelineId uid, int generation) {
    StoreDeadline storeCalls = StoreDeadline.open();
    TimelineLocation location = TimelineLocation.of(id, uid);
    synchronized (attaching) {
      TimelineName holder = holder(location);
      if (holder != null && !holder.equals(id)) {
        throw new PageserverException.InvalidRequest(
            "timeline " + uid + " is attached already, as " + holder);
      }
      if (timelines.containsKey(id)
          || attaching.putIfAbsent(id, new Attempt(storeCalls, location)) != null) {
        throw new PageserverException.InvalidRequest(id + " is attached already");
      }
    }
    try {
      Timeline timeline = storeCalls.call(() -> load(id, location, generation));
      boolean wanted;
      synchronized (attaching) {
        wanted = !storeCalls.isOver();
        if (wanted) {
          timelines.put(id, new Held(timeline, location));
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

  /** What has this timeline's place, or is about to; null: nothing. */
  private @Nullable TimelineName holder(TimelineLocation location) {
    for (var held : timelines.entrySet()) {
      if (held.getValue().location().equals(location)) {
        return held.getKey();
      }
    }
    for (var attempt : attaching.entrySet()) {
      if (attempt.getValue().location().equals(location)) {
        return attempt.getKey();
      }
    }
    return null;
  }

  private Timeline load(TimelineName id, TimelineLocation location, int generation) {
    try {
      stored.claim(location, id.timeline());
    } catch (IOException e) {
      throw unavailable("write down name and layout of " + id, e);
    }
    Claim claim =
        Objects.requireNonNull(
            claims.compute(
                id,
                (key, before) ->
                    before != null && before.location().equals(location)
                        ? before
                        : new Claim(
                            new ManifestStore(store, location.objectPrefix(), random.nextLong()),
                            location)));
    ManifestStore manifests = claim.manifests();
    TimelineLayers layers =
        TimelineLayers.attach(
            store,
            manifests,
            location.timelines(),
            location.origin(),
            location.localDirectory(directory),
            resources.layers(),
            generation,
            options,
            nanos);
    try {
      return new Timeline(id.toString(), id.shard(), layers, options, resources, nanos);
    } catch (RuntimeException | Error e) {
      layers.close(); // what it holds of files and memory
      throw e;
    }
  }

  /**
   * The timeline that a name leads to when whoever attaches it does not say the id; null: none.
   *
   * @throws PageserverException.Unavailable when the object store does not answer
   */
  public @Nullable TimelineId resolve(TimelineName name) {
    try {
      return stored.resolve(name);
    } catch (IOException e) {
      throw unavailable("find out where the name " + name + " leads", e);
    }
  }

  /**
   * Likewise; a name that leads nowhere leads to {@code wanted} then.
   *
   * @param wanted null: a new timeline
   */
  public TimelineId claimName(TimelineName name, @Nullable TimelineId wanted) {
    try {
      return stored.claimName(name, wanted);
    } catch (IOException e) {
      throw unavailable("write down where the name " + name + " leads", e);
    }
  }

  public @Nullable Timeline find(TimelineName id) {
    Held held = timelines.get(id);
    return held == null ? null : held.timeline();
  }

  /** Every attached timeline's id, sorted. */
  public List<TimelineName> list() {
    return timelines.keySet().stream()
        .sorted(Comparator.comparing(TimelineName::toString))
        .toList();
  }

  /**
   * Stops serving a timeline, or attaching it. What was published stays in the object store, and on
   * the local disk for the next attachment here.
   */
  public void detach(TimelineName id) {
    Held held;
    synchronized (attaching) {
      Attempt attempt = attaching.get(id);
      if (attempt != null) {
        attempt.storeCalls().expire();
      }
      held = timelines.remove(id);
      claims.remove(id);
    }
    if (held != null) {
      held.timeline().close();
    }
  }

  /**
   * Removes what the local disk holds of a timeline that is not attached and will not be soon.
   *
   * @throws PageserverException.Unavailable when the disk refuses
   */
  public void removeLocalFiles(TimelineName id, TimelineId uid) {
    TimelineLocation location = TimelineLocation.of(id, uid);
    requireDetached(location);
    Path local = location.localDirectory(directory);
    try (Stream<Path> files = Files.exists(local) ? Files.list(local) : Stream.empty()) {
      // Directories are those of shards.
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        Files.delete(file);
      }
      if (Files.exists(local) && isEmpty(local)) {
        Files.delete(local);
      }
    } catch (IOException | UncheckedIOException e) {
      throw unavailable("remove the local files of " + id, e);
    }
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.findAny().isEmpty();
    }
  }

  private void requireDetached(TimelineLocation location) {
    TimelineName holder = holder(location);
    if (holder != null) {
      throw new PageserverException.Unavailable(
          "timeline " + location.uid() + " is attached as " + holder + "; detach it first", null);
    }
  }

  /**
   * The generation that attached the timeline last, by what the object store holds; 0 when it holds
   * nothing of it.
   *
   * @throws PageserverException.LayoutDiffers when it holds the timeline in other shards
   */
  public int storedGeneration(TimelineName id, TimelineId uid) {
    try {
      return stored.generation(TimelineLocation.of(id, uid));
    } catch (IOException e) {
      throw unavailable("read the manifest of " + id, e);
    }
  }

  /** The system identifier of the stored timeline's cluster; 0: the store holds nothing of it. */
  public long storedSystemIdentifier(TimelineName id, TimelineId uid) {
    try {
      return stored.systemIdentifier(TimelineLocation.of(id, uid));
    } catch (IOException e) {
      throw unavailable("read the manifest of " + id, e);
    }
  }

  /** Every timeline of a tenant that the object store holds, but some. */
  public List<StoredTimeline> stored(String tenant, Set<TimelineId> but) {
    try {
      return stored.list(tenant, but);
    } catch (IOException e) {
      throw unavailable("list the timelines of " + tenant, e);
    }
  }

  /** Writes down that nobody attaches the timeline any more, and that it is kept. */
  public void retain(TimelineName id, TimelineId uid) {
    try {
      stored.retain(TimelineLocation.of(id, uid));
    } catch (IOException e) {
      throw unavailable("write down that " + id + " is retained", e);
    }
  }

  /**
   * Removes every object of a timeline that is not attached; nothing happens when there are none.
   * May be repeated after a failure. What another pageserver that still holds it writes on is
   * nowhere listed and never read, but stays: detach it there first.
   *
   * @throws PageserverException.LayoutDiffers when it is stored in other shards: none are removed
   */
  public void deleteObjects(TimelineName id, TimelineId uid) {
    TimelineLocation location = TimelineLocation.of(id, uid);
    requireDetached(location);
    try {
      stored.remove(location);
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
    for (TimelineName id : list()) {
      detach(id);
    }
    resources.scheduler().close();
  }
}
