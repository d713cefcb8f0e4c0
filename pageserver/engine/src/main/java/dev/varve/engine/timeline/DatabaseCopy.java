package dev.varve.engine.timeline;

import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * Copies the pages of a database's directory, as {@code CREATE DATABASE … STRATEGY file_copy} and
 * {@code ALTER DATABASE … SET TABLESPACE} do. A directory that is small beside the open layer goes
 * into it, page by page; a larger one to {@link RecordImages}.
 */
final class DatabaseCopy {
  private static final String WORK = "copying a database";

  /** A fork to copy: {@code sourceId} and {@code copyId} of the dictionary, and its size. */
  record Fork(int sourceId, int copyId, RelFileLocator source, int fork, int blocks) {}

  /** Who takes in the record. */
  interface Host {
    /** Brings everything before the record to files; the open layer is empty then. */
    void writeOut();

    /**
     * Waits a little before {@code work} is tried again.
     *
     * @throws PageserverException when the timeline stopped: the record is not taken in
     */
    void retryLater(String work, Exception cause);

    /**
     * @throws PageserverException when the timeline stopped
     */
    void requireHealthy();
  }

  /** Takes one copied page, which is only lent. */
  private interface Target {
    void page(long key, byte[] page) throws IOException;
  }

  private final TimelineLayers layers;
  private final PageReader reader;
  private final Shard shard;
  private final EngineOptions options;
  private final RecordImages images;

  DatabaseCopy(TimelineLayers layers, PageReader reader, Shard shard, EngineOptions options) {
    this.layers = layers;
    this.reader = reader;
    this.shard = shard;
    this.options = options;
    this.images = new RecordImages(layers, options);
  }

  RecordImages images() {
    return images;
  }

  /** Whether so many blocks, before they are dealt out to shards, are too many for memory. */
  boolean isLarge(long blocks) {
    return blocks / shard.count() * Page.SIZE > options.openLayerBytes();
  }

  /** Hands every page of the forks, as of {@code lsn}, to {@code ingest}. */
  void toOpenLayer(List<Fork> forks, long lsn, WalIngest ingest, Host host) {
    try {
      copy(forks, lsn, ingest::putPage, host);
    } catch (IOException e) {
      throw new UncheckedIOException("memory does no I/O", e);
    }
    layers.trouble().over(WORK);
  }

  /** Writes every page of the forks, as of {@code lsn}, to image layers at it. */
  void toImageLayers(List<Fork> forks, long lsn, Host host) {
    images.write(WORK, lsn, host, run -> copy(forks, lsn, run::page, host));
  }

  private void copy(List<Fork> forks, long lsn, Target target, Host host) throws IOException {
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
  private boolean read(Fork fork, int block, long lsn, byte[] page, Chain chain, Host host) {
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
