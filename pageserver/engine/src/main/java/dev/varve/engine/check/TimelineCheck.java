package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.check.Finding.Kind;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Checks what an unsharded timeline, or one shard of one, has in the object store: its manifests,
 * and the layers that the newest lists. A pageserver may write to it meanwhile: what seems to be
 * missing or left over is looked for once more before it is said.
 */
final class TimelineCheck {
  private static final String MANIFESTS = "manifest/";
  private static final String LAYERS = "layers/";
  private static final String PARTS = "parts/";
  private static final String TIMELINES = "/timelines/";

  private final ObjectStore store;
  private final String prefix;
  private final CheckOptions options;
  private final CheckReport report;
  private final SplittableRandom random;
  private final ManifestCheck manifests;
  private final List<ObjectEntry> manifestEntries = new ArrayList<>();
  private final List<ObjectEntry> partEntries = new ArrayList<>();

  /** Of its tenant's timelines, with a slash at its end: its layers may be of others, too. */
  private final String timelines;

  /** By the objects' names. */
  private final Map<String, ObjectEntry> layerEntries = new HashMap<>();

  /**
   * @param prefix of its objects, with a slash at its end
   */
  TimelineCheck(
      ObjectStore store,
      String prefix,
      CheckOptions options,
      CheckReport report,
      SplittableRandom random) {
    this.store = store;
    this.prefix = prefix;
    timelines = prefix.substring(0, prefix.indexOf(TIMELINES) + TIMELINES.length());
    this.options = options;
    this.report = report;
    this.random = random;
    manifests = new ManifestCheck(store, prefix, report);
  }

  /** Takes an object below the prefix; by name. False: it has no place there. */
  boolean add(ObjectEntry entry) {
    String name = entry.name().substring(prefix.length());
    if (name.startsWith(MANIFESTS) && ManifestCheck.number(name).isPresent()) {
      manifestEntries.add(entry);
      return true;
    }
    if (name.startsWith(LAYERS) && LayerDescriptor.generationOf(name).isPresent()) {
      layerEntries.put(entry.name(), entry);
      return true;
    }
    if (name.startsWith(PARTS)) {
      partEntries.add(entry);
      return true;
    }
    return false;
  }

  /** Checks the objects that were added, which are all. */
  void run() throws IOException {
    if (manifestEntries.isEmpty()) {
      report.found(
          Kind.MISSING, prefix + MANIFESTS, "there is no manifest beside its other objects");
      return;
    }
    manifests.chain(manifestEntries);
    Manifest manifest = manifests.newest(manifestEntries);
    if (manifest == null) {
      return;
    }
    String object = prefix + MANIFESTS + "%020d".formatted(manifest.number());
    manifests.layers(manifest, object);
    report.progress.layers.addAndGet(manifest.layers().size());
    parts(manifest);
    compare(manifest);
    PageSample sample = new PageSample(options.deep() ? options.sample() : 0, random);
    readLayers(manifest, sample);
    redo(manifest, sample);
  }

  /** The owner may have one that no manifest names yet. */
  private void parts(Manifest manifest) throws IOException {
    String own = "%08x-".formatted(manifest.generation());
    for (ObjectEntry entry : partEntries) {
      String part = entry.name().substring(prefix.length() + PARTS.length());
      if (part.compareTo(own) < 0 && !manifests.namesPart(part)) {
        report.unneeded(entry, "none of the newest manifests names it");
      }
    }
  }

  private String object(LayerDescriptor layer) {
    return timelines + layer.object();
  }

  /** Compares the listing with what the manifest lists. */
  private void compare(Manifest manifest) throws IOException {
    Set<String> unlisted = new HashSet<>(layerEntries.keySet());
    List<LayerDescriptor> absent = new ArrayList<>();
    for (LayerDescriptor layer : manifest.layers()) {
      ObjectEntry entry = layerEntries.get(object(layer));
      unlisted.remove(object(layer));
      if (entry == null) {
        absent.add(layer);
      } else if (entry.length() != layer.fileBytes()) {
        report.found(
            Kind.DAMAGED,
            entry.name(),
            "it has %d bytes; the manifest says %d".formatted(entry.length(), layer.fileBytes()));
      }
    }
    unlisted.removeAll(replaced(manifest));
    if (!absent.isEmpty() || !unlisted.isEmpty()) {
      compareAgain(absent, unlisted);
    }
  }

  /** The manifest may be newer than the listing: against a listing between two manifests. */
  private void compareAgain(List<LayerDescriptor> absent, Set<String> unlisted) throws IOException {
    Manifest first = manifests.load();
    Set<String> before = names(first);
    Map<String, ObjectEntry> stored = new HashMap<>();
    for (ObjectEntry entry : store.list(prefix + LAYERS)) {
      stored.put(entry.name(), entry);
    }
    for (LayerDescriptor layer : absent) {
      String directory = timelines + layer.origin().path() + LAYERS;
      if (!directory.equals(prefix + LAYERS)) {
        for (ObjectEntry entry : store.list(directory)) {
          stored.put(entry.name(), entry);
        }
      }
    }
    Manifest manifest = manifests.load();
    Set<String> after = names(manifest);
    for (LayerDescriptor layer : absent) {
      String object = object(layer);
      ObjectEntry entry = stored.get(object);
      if (entry != null) {
        layerEntries.put(object, entry);
      } else if (before.contains(object) && after.contains(object)) {
        report.found(Kind.MISSING, object, "manifest " + manifest.number() + " lists it");
      }
    }
    before.addAll(after);
    before.addAll(replaced(first));
    before.addAll(replaced(manifest));
    for (String name : unlisted) {
      ObjectEntry entry = stored.get(name);
      if (entry != null && !before.contains(name)) {
        report.unneeded(
            entry,
            "manifest %d of generation %d does not list it"
                .formatted(manifest.number(), manifest.generation()));
      }
    }
  }

  /** Objects that merges have replaced and the owner is yet to remove. */
  private Set<String> replaced(Manifest manifest) {
    return manifest.sections().replaced().stream()
        .map(name -> prefix + LAYERS + name)
        .collect(Collectors.toSet());
  }

  /** Of the objects of its layers. */
  private Set<String> names(Manifest manifest) {
    Set<String> names = new HashSet<>();
    manifest.layers().forEach(layer -> names.add(object(layer)));
    return names;
  }

  /** Reads the layers that are there in their length. */
  private void readLayers(Manifest manifest, PageSample sample) throws IOException {
    Semaphore free = new Semaphore(options.concurrency());
    Phaser reading = new Phaser(1);
    AtomicReference<@Nullable PageserverException> failure = new AtomicReference<>();
    Queue<LayerDescriptor> vanished = new ConcurrentLinkedQueue<>();
    for (LayerDescriptor layer : manifest.layers()) {
      ObjectEntry entry = layerEntries.get(object(layer));
      if (entry == null || entry.length() != layer.fileBytes()) {
        continue;
      }
      free.acquireUninterruptibly();
      if (failure.get() != null) {
        break;
      }
      reading.register();
      Thread.ofVirtual()
          .start(() -> {
            try {
              if (!readLayer(layer, sample)) {
                vanished.add(layer);
              }
            } catch (PageserverException e) {
              failure.compareAndSet(null, e);
            } finally {
              free.release();
              reading.arriveAndDeregister();
            }
          });
    }
    reading.arriveAndAwaitAdvance();
    PageserverException failed = failure.get();
    if (failed != null) {
      throw failed;
    }
    if (!vanished.isEmpty()) {
      Set<String> listed = names(manifests.load());
      for (LayerDescriptor layer : vanished) {
        if (listed.contains(object(layer))) {
          report.found(Kind.MISSING, object(layer), "it was removed during the check");
        }
      }
    }
  }

  /** False: its object is gone, as one that was merged is. */
  private boolean readLayer(LayerDescriptor layer, PageSample sample) {
    String object = object(layer);
    LayerCheck check = new LayerCheck(store, layer, object, options.deep(), report.progress);
    try {
      if (options.deep()) {
        check.everything(sample::entry);
      } else {
        check.index();
      }
      report.progress.layersRead.incrementAndGet();
      report.progressed();
      return true;
    } catch (PageserverException.Corrupt
        | PageserverException.TooNew
        | PageserverException.TooOld e) {
      report.found(Kind.of(e), object, String.valueOf(e.getMessage()));
      return true;
    } catch (PageserverException.Unavailable e) {
      if (e.getCause() instanceof ObjectNotFoundException) {
        return false;
      }
      throw e;
    }
  }

  private void redo(Manifest manifest, PageSample sample) throws IOException {
    long from = manifest.readableFromLsn();
    if (sample.size() == 0 || from == 0) {
      return;
    }
    try {
      PageCheck pages = new PageCheck(store, timelines, manifest, report.progress);
      for (int i = 0; i < sample.size(); i++) {
        long entryLsn = sample.lsn(i);
        long first = Long.compareUnsigned(entryLsn, from) < 0 ? from : entryLsn;
        redo(pages, sample.key(i), sample.lsnBetween(first, manifest.publishedLsn()));
      }
    } catch (PageserverException.Corrupt e) {
      report.found(Kind.DAMAGED, prefix, String.valueOf(e.getMessage()));
    } catch (PageserverException.Unavailable e) {
      if (!(e.getCause() instanceof ObjectNotFoundException)) {
        throw e;
      }
      // Layers that were merged meanwhile: the pages are the same, and elsewhere.
    }
  }

  private void redo(PageCheck pages, long key, long lsn) {
    try {
      pages.redo(key, lsn);
      report.progress.pages.incrementAndGet();
      report.progressed();
    } catch (PageserverException.Corrupt e) {
      report.found(Kind.DAMAGED, prefix, String.valueOf(e.getMessage()));
    }
  }
}
