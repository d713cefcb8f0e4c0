package dev.varve.engine.ingest;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.TimelineLayers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * Copies the pages of a database's directory, as {@code CREATE DATABASE … STRATEGY file_copy} and
 * {@code ALTER DATABASE … SET TABLESPACE} do. A directory that is small beside the open layer goes
 * into it, page by page; a larger one to {@link RecordImages}.
 */
public final class DatabaseCopy {
  private static final String WORK = "copying a database";

  /** A fork to copy: {@code sourceId} and {@code copyId} of the dictionary, and its size. */
  record Fork(int sourceId, int copyId, RelFileLocator source, int fork, int blocks) {}

  /** Takes one copied page, which is only lent. */
  private interface Target {
    void page(long key, byte[] page) throws IOException;
  }

  private final TimelineLayers layers;
  private final PageReader reader;
  private final Shard shard;
  private final EngineOptions options;

  public DatabaseCopy(
      TimelineLayers layers, PageReader reader, Shard shard, EngineOptions options) {
    this.layers = layers;
    this.reader = reader;
    this.shard = shard;
    this.options = options;
  }

  /** Whether so many blocks, before they are dealt out to shards, are too many for memory. */
  boolean isLarge(long blocks) {
    return blocks / shard.count() * Page.SIZE > options.openLayerBytes();
  }

  /** Puts every page of the forks, as of the record that is being taken in, to the open layer. */
  void toOpenLayer(List<Fork> forks, RecordEntries entries) {
    try {
      copy(forks, entries.lsn(), entries::page, entries.host());
    } catch (IOException e) {
      throw new UncheckedIOException("memory does no I/O", e);
    }
    layers.failures().over(WORK);
  }

  /** The same, to image layers. */
  void toImageLayers(List<Fork> forks, RecordEntries entries) {
    entries.writeImages(WORK, images -> copy(forks, entries.lsn(), images::page, entries.host()));
  }

  private void copy(List<Fork> forks, long lsn, Target target, RecordHost host) throws IOException {
    Chain chain = new Chain();
    byte[] page = new byte[Page.SIZE];
    for (Fork fork : forks) {
      RelFileLocator source = fork.source();
      for (int block = 0; block != fork.blocks(); block++) {
        if (shard.owns(source.databaseOid(), source.relationNumber(), fork.fork(), block)) {
          while (!read(fork, block, lsn, page, chain, host)) {
            host.requireHealthy();
          }
          target.page(KeySpace.key(fork.copyId(), block), page);
        }
      }
      host.requireHealthy();
    }
  }

  /** Returns false when it has to be done again, after a while that has passed. */
  private boolean read(Fork fork, int block, long lsn, byte[] page, Chain chain, RecordHost host) {
    try {
      if (reader.page(KeySpace.key(fork.sourceId(), block), lsn, page, chain)) {
        return true;
      }
    } catch (PageserverException.Unavailable e) {
      host.retryLater(WORK, e);
      return false;
    }
    throw new PageserverException.Corrupt(
        WORK
            + ": no layer knows block "
            + Integer.toUnsignedString(block)
            + " of fork "
            + fork.fork()
            + " of "
            + fork.source());
  }
}
