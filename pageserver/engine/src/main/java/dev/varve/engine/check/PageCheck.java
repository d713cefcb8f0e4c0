package dev.varve.engine.check;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.BlockCache;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.Layer;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.read.ChainReplay;
import dev.varve.engine.redo.HintLogging;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.tree.KeySpace;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Makes pages of a timeline of what its manifest lists, as a pageserver would. One thread. */
final class PageCheck {
  private static final int OPEN_LAYERS = 64;
  private static final int CACHE_BYTES = 16 << 20;

  /** As they are read: the newest first, and an image before the changes up to it. */
  private static final Comparator<LayerDescriptor> NEWEST_FIRST =
      Comparator.comparing(LayerDescriptor::endLsn, Long::compareUnsigned)
          .reversed()
          .thenComparing(LayerDescriptor::isImage, Comparator.reverseOrder());

  private final ObjectStore store;
  private final String timelines;
  private final Manifest manifest;
  private final CheckProgress progress;
  private final List<LayerDescriptor> layers;
  private final BlockCache cache = new BlockCache(CACHE_BYTES);
  private final Map<LayerDescriptor, Layer> open = new LinkedHashMap<>(16, 0.75f, true);
  private final Chain chain = new Chain();
  private final byte[] page = new byte[Page.SIZE];
  private final RedoContext context;

  /**
   * @param manifest of a timeline that can be read
   * @throws PageserverException.Corrupt when the cluster's settings cannot be
   */
  PageCheck(ObjectStore store, String timelines, Manifest manifest, CheckProgress progress) {
    this.store = store;
    this.timelines = timelines;
    this.manifest = manifest;
    this.progress = progress;
    layers = manifest.layers().stream().sorted(NEWEST_FIRST).toList();
    context = new RedoContext(manifest.major(), hints());
  }

  /** By every version of the control file: a restart of the server makes one. */
  private HintLogging hints() {
    long key = KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_FILE);
    Deque<Boolean> logged = new ArrayDeque<>();
    Deque<Long> since = new ArrayDeque<>();
    boolean checksums = false;
    for (long lsn = manifest.publishedLsn(); collect(key, lsn); lsn = chain.lsn(0) - 1) {
      int from = chain.offset(0);
      byte[] file = Arrays.copyOfRange(chain.bytes(0), from, from + chain.length(0));
      checksums |= logged.isEmpty() && ControlFile.hasChecksums(file);
      logged.push(ControlFile.logsHints(file));
      since.push(chain.lsn(0));
    }
    if (logged.isEmpty()) {
      throw new PageserverException.Corrupt(timelines + ": no layer has the control file");
    }
    if (checksums) {
      return HintLogging.always(true);
    }
    HintLogging hints = HintLogging.always(logged.pop());
    since.pop();
    while (!logged.isEmpty()) {
      hints = hints.changedAt(since.pop(), logged.pop());
    }
    return hints;
  }

  /** Fills the chain; false when nothing is known of the key. */
  private boolean collect(long key, long lsn) {
    chain.clear();
    for (LayerDescriptor layer : layers) {
      if (chain.isComplete()) {
        break;
      }
      long first = layer.isImage() ? layer.endLsn() : layer.startLsn() + 1;
      if (layer.covers(key) && Long.compareUnsigned(first, lsn) <= 0) {
        open(layer).collect(key, lsn, chain);
      }
    }
    return chain.size() > 0;
  }

  private Layer open(LayerDescriptor descriptor) {
    Layer layer =
        open.computeIfAbsent(
            descriptor,
            wanted ->
                new Layer(
                    wanted,
                    new ObjectSource(
                        store, timelines + wanted.object(), wanted.fileBytes(), 0, progress),
                    cache));
    if (open.size() > OPEN_LAYERS) {
      open.remove(open.keySet().iterator().next());
    }
    return layer;
  }

  /**
   * Makes a page that has an entry at or below {@code lsn}.
   *
   * @throws PageserverException.Corrupt when it cannot be made, or is no page
   * @throws PageserverException.Unavailable when a layer cannot be read
   */
  void redo(long key, long lsn) {
    if (!collect(key, lsn)) {
      throw corrupt(key, lsn, "no layer has it, though one did");
    }
    ChainReplay.replay(key, lsn, chain, page, context);
    if (KeySpace.relationId(key) >= KeySpace.FIRST_RELATION
        && !Page.isNew(page)
        && (Page.lower(page) > Page.upper(page)
            || Page.upper(page) > Page.special(page)
            || Page.special(page) > Page.SIZE)) {
      throw corrupt(
          key,
          lsn,
          "its header says lower %d, upper %d, special %d"
              .formatted(Page.lower(page), Page.upper(page), Page.special(page)));
    }
  }

  private static PageserverException.Corrupt corrupt(long key, long lsn, String what) {
    return new PageserverException.Corrupt(
        "page %d.%d at %s: %s"
            .formatted(
                KeySpace.relationId(key),
                Integer.toUnsignedLong(KeySpace.block(key)),
                Lsn.format(lsn),
                what));
  }
}
