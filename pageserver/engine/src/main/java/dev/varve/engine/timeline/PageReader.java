package dev.varve.engine.timeline;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.redo.RedoContext;
import java.util.Arrays;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Values and pages as of an LSN: collects a key's chain through the layers and replays it. Any
 * thread; holds no state but where the layer map is to be found.
 */
final class PageReader {
  private final Supplier<LayerMap> layers;
  private final Supplier<RedoContext> context;

  PageReader(Supplier<LayerMap> layers, Supplier<RedoContext> context) {
    this.layers = layers;
    this.context = context;
  }

  /** A value of a key, and the end of the record that made it. */
  record Version(long lsn, byte[] value) {}

  /**
   * The newest value of a key at or below {@code lsn}; null when it has none, empty when it was
   * removed.
   */
  byte @Nullable [] value(long key, long lsn) {
    Version version = version(key, lsn);
    return version == null ? null : version.value();
  }

  /** The same, and since when it holds. */
  @Nullable Version version(long key, long lsn) {
    Chain chain = new Chain();
    layers.get().collect(key, lsn, chain);
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
  boolean page(long key, long lsn, byte[] target, Chain chain) {
    chain.clear();
    layers.get().collect(key, lsn, chain);
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
  void pageOf(long key, long lsn, Chain chain, long belowLsn, byte[] target) {
    if (!chain.isComplete()) {
      layers.get().collect(key, belowLsn, chain);
    }
    ChainReplay.replay(key, lsn, chain, target, context.get());
  }

  /** How many entries a page's chain at {@code lsn} has before a whole page begins it. */
  int chainLength(long key, long lsn, Chain chain) {
    chain.clear();
    layers.get().collectFromFiles(key, lsn, chain);
    int length = 0;
    while (length < chain.size() && !chain.kind(length).endsChain()) {
      length++;
    }
    return length;
  }
}
