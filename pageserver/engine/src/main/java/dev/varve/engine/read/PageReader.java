package dev.varve.engine.read;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.tree.LayerMap;
import java.util.Arrays;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Values and pages as of an LSN: collects a key's chain through the layers and replays it. Any
 * thread; holds no state but where the layer map is to be found.
 *
 * <p>A read holds no lock and no layer. One that a merge replaced may be removed under it, here and
 * in the object store; then it begins again with the layers that took its place.
 */
public final class PageReader {
  private final Supplier<LayerMap> layers;
  private final Supplier<RedoContext> context;

  public PageReader(Supplier<LayerMap> layers, Supplier<RedoContext> context) {
    this.layers = layers;
    this.context = context;
  }

  /** A value of a key, and the end of the record that made it. */
  public record Version(long lsn, byte[] value) {}

  /**
   * The newest value of a key at or below {@code lsn}; null when it has none, empty when it was
   * removed.
   */
  public byte @Nullable [] value(long key, long lsn) {
    Version version = version(key, lsn);
    return version == null ? null : version.value();
  }

  /** The same, and since when it holds. */
  public @Nullable Version version(long key, long lsn) {
    Chain chain = new Chain();
    collect(key, lsn, chain);
    return chain.size() == 0
        ? null
        : new Version(
            chain.lsn(0),
            Arrays.copyOfRange(chain.bytes(0), chain.offset(0), chain.offset(0) + chain.length(0)));
  }

  /**
   * Fills {@code target} with the page as of {@code lsn}.
   *
   * @param chain scratch, cleared first
   * @return false when nothing is known of the page
   * @throws PageserverException.Corrupt when its chain has no beginning, or does not replay
   */
  public boolean page(long key, long lsn, byte[] target, Chain chain) {
    chain.clear();
    collect(key, lsn, chain);
    if (chain.size() == 0) {
      return false;
    }
    ChainReplay.replay(key, lsn, chain, target, context.get());
    return true;
  }

  /**
   * Fills {@code target} with the page that {@code chain} makes together with what is at or below
   * {@code belowLsn}; the chain has the entries above that.
   *
   * @param lsn of the newest of them
   * @throws PageserverException.Corrupt as {@link #page} does
   */
  public void pageOf(long key, long lsn, Chain chain, long belowLsn, byte[] target) {
    if (!chain.isComplete()) {
      collect(key, belowLsn, chain);
    }
    ChainReplay.replay(key, lsn, chain, target, context.get());
  }

  /** How many entries a page's chain at {@code lsn} has before a whole page begins it. */
  public int chainLength(long key, long lsn, Chain chain) {
    current(map -> {
      chain.clear();
      map.collectFromFiles(key, lsn, chain);
      return chain;
    });
    int length = 0;
    while (length < chain.size() && !chain.kind(length).endsChain()) {
      length++;
    }
    return length;
  }

  /** The last record that ends at or before {@code lsn}; null when no layer knows one. */
  public @Nullable RecordBoundary boundaryAtOrBefore(long lsn) {
    return current(map -> map.boundaryAtOrBefore(lsn));
  }

  private void collect(long key, long lsn, Chain chain) {
    int before = chain.size();
    current(map -> {
      if (chain.size() > before) {
        chain.cutTo(before);
      }
      map.collect(key, lsn, chain);
      return chain;
    });
  }

  /** Reads the newest layers; once more when one of them is gone and there are newer ones. */
  private <T extends @Nullable Object> T current(Function<LayerMap, T> read) {
    LayerMap map = layers.get();
    while (true) {
      try {
        return read.apply(map);
      } catch (PageserverException.Unavailable e) {
        LayerMap newer = layers.get();
        if (newer == map || !(e.getCause() instanceof ObjectNotFoundException)) {
          throw e;
        }
        map = newer;
      }
    }
  }
}
