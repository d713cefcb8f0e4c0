package dev.varve.engine.tree;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.LayerOrigin;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.ObjectsMissingException;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks whether the object store still holds the layers that a timeline's manifest lists, so that
 * one that is gone shows before somebody wants its pages: by one listing, which costs a request for
 * a thousand objects, after the attachment, every hour, and soon after a read that found none. It
 * changes nothing: WAL is published on, since what is gone is older. The local copies of layers
 * that are gone stay. Only {@link #want} may be called by other threads than the one that steps.
 */
final class LayerAudit {
  private static final Logger log = LoggerFactory.getLogger(LayerAudit.class);
  private static final String CHECKING = "checking the layers in the object store";
  private static final Duration INTERVAL = Duration.ofHours(1);
  private static final Duration SHORTEST_INTERVAL = Duration.ofSeconds(10);

  private final ObjectStore store;
  private final String timelines;
  private final String prefix;
  private final StorageFailures failures;
  private final Runnable requireOwner;
  private final LongSupplier nanos;
  private long lookedNanos;
  private volatile boolean wanted;

  /**
   * @param timelines prefix of the objects of the tenant's timelines, with a slash at its end
   * @param prefix of this one's, likewise
   * @param failures records what is gone
   * @param requireOwner fails when another owner has the timeline, who may remove layers
   * @param nanos a monotonic clock
   */
  LayerAudit(
      ObjectStore store,
      String timelines,
      String prefix,
      StorageFailures failures,
      Runnable requireOwner,
      LongSupplier nanos) {
    this.store = store;
    this.timelines = timelines;
    this.prefix = prefix;
    this.failures = failures;
    this.requireOwner = requireOwner;
    this.nanos = nanos;
    lookedNanos = nanos.getAsLong() - INTERVAL.toNanos();
  }

  /** A read found that a layer is gone. */
  void want() {
    wanted = true;
  }

  /**
   * Looks when it is time to.
   *
   * @param newest gives the manifest that was committed last
   * @param files all layers of the timeline
   * @return in how many nanoseconds it will be time again
   */
  long step(Supplier<Manifest> newest, Collection<LayerFile> files) {
    if (untilNext() > 0) {
      return untilNext();
    }
    lookedNanos = nanos.getAsLong();
    wanted = false;
    try {
      Manifest manifest = newest.get();
      Set<String> gone = gone(manifest);
      if (newest.get().number() != manifest.number()) {
        // What was replaced may have been removed meanwhile.
        gone.retainAll(
            newest.get().layers().stream().map(layer -> timelines + layer.object()).toList());
      }
      if (!gone.isEmpty()) {
        requireOwner.run();
      }
      files.forEach(file -> file.keepLocal(gone.contains(file.objectName())));
      if (gone.isEmpty()) {
        failures.over(CHECKING);
      } else {
        failed(new ObjectsMissingException(text(manifest, gone)));
      }
    } catch (IOException | PageserverException.Unavailable e) {
      failed(e);
    }
    return untilNext();
  }

  private long untilNext() {
    long age = nanos.getAsLong() - lookedNanos;
    return Math.max(0, (wanted ? SHORTEST_INTERVAL : INTERVAL).toNanos() - age);
  }

  private void failed(Exception e) {
    wanted = true;
    if (failures.failed(CHECKING, e)) {
      log.warn("{}: {} failed and is tried again: {}", prefix, CHECKING, e.toString());
    }
  }

  /** Objects of listed layers that the store has not, or in another length. */
  private Set<String> gone(Manifest manifest) throws IOException {
    Map<String, Long> stored = new HashMap<>();
    Set<LayerOrigin> origins =
        manifest.layers().stream().map(LayerDescriptor::origin).collect(Collectors.toSet());
    for (LayerOrigin origin : origins) {
      for (ObjectEntry entry : store.list(timelines + origin.path() + "layers/")) {
        stored.put(entry.name(), entry.length());
      }
    }
    Set<String> gone = new HashSet<>();
    for (LayerDescriptor layer : manifest.layers()) {
      String object = timelines + layer.object();
      Long length = stored.get(object);
      if (length == null || length != layer.fileBytes()) {
        gone.add(object);
      }
    }
    return gone;
  }

  private String text(Manifest manifest, Set<String> gone) {
    return "the object store no longer holds "
        + gone.size()
        + " of "
        + manifest.layers().size()
        + " layers, among them "
        + gone.stream().sorted().findFirst().orElseThrow()
        + ": pages in them cannot be read where no local copy is. Bring these objects back from the"
        + " bucket's versions";
  }
}
