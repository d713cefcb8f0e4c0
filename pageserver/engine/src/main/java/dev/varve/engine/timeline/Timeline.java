package dev.varve.engine.timeline;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationDictionary;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.catalog.Shard;
import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.ingest.DatabaseCopy;
import dev.varve.engine.ingest.RecordImages;
import dev.varve.engine.ingest.TimelineWriter;
import dev.varve.engine.ingest.WalIngest;
import dev.varve.engine.layer.Chain;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.RecordBoundary;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PageChecksum;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.read.PageCache;
import dev.varve.engine.read.PageReader;
import dev.varve.engine.redo.HintLogging;
import dev.varve.engine.redo.RedoContext;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.tree.KeySpace;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.work.LayerFlusher;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One history of one database cluster, attached to this pageserver under a generation. One thread
 * feeds it WAL; any thread reads any page at any LSN from the end of the base backup up to what was
 * received.
 *
 * <p>Life: empty (nothing in the object store) → imported from a base backup → receiving. What was
 * received is kept in memory, written to local layer files, and published; {@link #publishedLsn}
 * tells how far it is durable in the object store, and after any restart WAL is wanted from there.
 *
 * <p>Errors: {@link PageserverException.Corrupt} and {@link PageserverException.Fenced} stop the
 * timeline for good; {@link #failure} tells.
 */
public final class Timeline implements AutoCloseable {
  private static final AtomicLong SERIALS = new AtomicLong();

  private final String name;
  private final Shard shard;
  private final TimelineLayers layers;
  private final EngineOptions options;
  private final PageCache pageCache;
  private final LongSupplier nanos;
  private final long serial = SERIALS.incrementAndGet();
  private final RelationDictionary dictionary = new RelationDictionary();
  private final PageReader reader;
  private volatile @Nullable Running running;

  /** What there is once a base backup was imported. */
  private record Running(
      ClusterIdentity identity,
      WalIngest ingest,
      boolean checksums,
      TimelineWriter writer,
      LayerFlusher flusher) {}

  /**
   * Opens a timeline whose manifest this attachment has claimed.
   *
   * @param name for messages: tenant/timeline
   * @param shard the pages it keeps; always the same for these layers
   * @param nanos a monotonic clock
   */
  public Timeline(
      String name,
      Shard shard,
      TimelineLayers layers,
      EngineOptions options,
      PageCache pageCache,
      LongSupplier nanos) {
    this.name = name;
    this.shard = shard;
    this.layers = layers;
    this.options = options;
    this.pageCache = pageCache;
    this.nanos = nanos;
    this.reader = new PageReader(layers::map, this::redoContext);
    if (!layers.manifest().isEmpty()) {
      start();
    }
  }

  /** {@code tenant/timeline}. */
  public String name() {
    return name;
  }

  public int generation() {
    return layers.manifest().generation();
  }

  /** The pages that are kept here. */
  public Shard shard() {
    return shard;
  }

  /** Whether nothing was imported yet: a base backup is wanted. */
  public boolean isEmpty() {
    return running == null;
  }

  /** Begins to import a base backup into an empty timeline. */
  public BaseBackupImport beginImport(ClusterIdentity identity, long beforeLsn) {
    if (!isEmpty()) {
      throw new PageserverException.InvalidRequest(name + " has been imported already");
    }
    return new BaseBackupImport(layers, shard, identity, options, beforeLsn, this::start);
  }

  /** Loads what the manifest says and starts to take in WAL. */
  private void start() {
    Manifest manifest = layers.manifest();
    ClusterIdentity identity =
        new ClusterIdentity(
            manifest.systemIdentifier(), manifest.major(), manifest.walSegmentBytes());
    long publishedLsn = manifest.publishedLsn();
    dictionary.loadAll(reader, publishedLsn);
    ClusterView view = new ClusterView(reader, dictionary, publishedLsn);
    byte[] controlFile = view.controlFile();
    boolean checksums = ControlFile.hasChecksums(controlFile);
    RedoContext context =
        new RedoContext(
            identity.major(), checksums ? HintLogging.always(true) : hints(publishedLsn));
    OpenLayer open = new OpenLayer(publishedLsn, nanos.getAsLong(), layers.memory());
    DatabaseCopy databases = new DatabaseCopy(layers, reader, shard, options);
    RecordImages images = new RecordImages(layers, options);
    WalIngest ingest = new WalIngest(shard, dictionary, databases, images, context, open);
    ingest.state().load(view);
    layers.open(open);
    TimelineWriter writer =
        new TimelineWriter(
            layers,
            options,
            nanos,
            identity,
            ingest,
            open,
            manifest.startLsn(),
            publishedLsn,
            manifest.lastRecordLsn() == 0 ? WalDecoder.UNKNOWN_PREV : manifest.lastRecordLsn(),
            manifest.readableFromLsn(),
            view.settings());
    writer.endBackupAt(LittleEndian.i64(controlFile, ControlFile.MIN_RECOVERY_POINT));
    LayerFlusher flusher = new LayerFlusher(name, layers, reader, dictionary, writer, options);
    running = new Running(identity, ingest, checksums, writer, flusher);
    flusher.start();
  }

  /** By every version of the control file up to {@code lsn}: a restart of the server makes one. */
  private HintLogging hints(long lsn) {
    long key = KeySpace.key(KeySpace.CONTROL, KeySpace.CONTROL_FILE);
    Deque<PageReader.Version> versions = new ArrayDeque<>();
    for (PageReader.Version version = reader.version(key, lsn);
        version != null;
        version = reader.version(key, version.lsn() - 1)) {
      versions.push(version);
    }
    HintLogging hints = null;
    for (PageReader.Version version : versions) {
      boolean logged = ControlFile.logsHints(version.value());
      hints = hints == null ? HintLogging.always(logged) : hints.changedAt(version.lsn(), logged);
    }
    return Objects.requireNonNull(hints, "a timeline that was imported has a control file");
  }

  private RedoContext redoContext() {
    return running().ingest.context();
  }

  private Running running() {
    Running current = running;
    if (current == null) {
      throw new PageserverException.NotFound(
          name + " holds nothing yet: no base backup was imported");
    }
    return current;
  }

  // Writing

  public ClusterIdentity identity() {
    return running().identity;
  }

  /** WAL is wanted from here; a record boundary right after a start, any byte later. */
  public long resumeLsn() {
    return running().writer.wantedLsn();
  }

  /**
   * Takes in the WAL bytes at {@code lsn}, which go on where the last ones ended. Blocks while
   * memory or disk for unpublished layers is used up. One thread.
   *
   * @throws PageserverException when the timeline stopped
   */
  public void receive(long lsn, byte[] wal, int offset, int length) {
    running().writer.receive(lsn, wal, offset, length);
  }

  /**
   * Takes over what the primary answered when it was asked for its settings just now. When they
   * differ from the last ones they hold from where it was asked before. They are published with the
   * next record; until then only this attachment has them. Any thread.
   */
  public void setSettings(SortedMap<String, String> values) {
    running().writer.setSettings(values);
  }

  /** Freezes and publishes what is in memory now, without waiting for it. */
  public void flush() {
    running().flusher.flushNow();
  }

  /**
   * Publishes what was received until now, and waits for it; receiving may go on meanwhile.
   *
   * @throws PageserverException.Unavailable when it took longer than {@code timeout}
   * @throws PageserverException when the timeline stopped
   */
  public void publishNow(Duration timeout) {
    running().flusher.publishNow(timeout);
  }

  /**
   * Publishes everything that was received and never writes again; reads go on. No {@link #receive}
   * may be under way; afterwards it fails with {@link PageserverException.NotHere}, and so does a
   * reader that waits for more. May be repeated.
   *
   * @return the published LSN, which is the received one
   * @throws PageserverException.Unavailable when it took longer than {@code timeout}; nothing has
   *     changed then
   * @throws PageserverException when the timeline stopped before
   */
  public long handOver(Duration timeout) {
    if (!isTakenOver()) {
      publishNow(timeout);
      running()
          .writer
          .fail(
              new PageserverException.NotHere(
                  name + " was handed over: what comes after is received by another pageserver"));
      running().flusher.close();
    }
    return publishedLsn();
  }

  /**
   * Asks the object store whether this is still the newest attachment, and stops if it is not.
   *
   * @throws PageserverException.Fenced when another owner has taken over
   * @throws PageserverException.Unavailable when the object store does not answer
   */
  public void requireOwner() {
    try {
      layers.requireOwner();
    } catch (PageserverException.Fenced e) {
      running().writer.fail(e);
      throw e;
    }
  }

  /**
   * Whether its WAL is received elsewhere: it was handed over, or another owner has fenced it. What
   * was received until then can be read.
   */
  public boolean isTakenOver() {
    return failure() instanceof PageserverException.NotHere
        || failure() instanceof PageserverException.Fenced;
  }

  /** The end of the newest record that can be read. */
  public long receivedLsn() {
    Running current = running;
    return current == null ? 0 : current.writer.receivedLsn();
  }

  /** Everything up to here is durable in the object store. */
  public long publishedLsn() {
    return layers.manifest().publishedLsn();
  }

  /** The lowest LSN that can be read; 0 while the base backup's end has not been received. */
  public long readableFromLsn() {
    Running current = running;
    return current == null ? 0 : current.writer.consistentLsn();
  }

  /** When the newest transaction received committed: microseconds since 2000-01-01; 0 for none. */
  public long newestCommitMicros() {
    Running current = running;
    return current == null ? 0 : current.writer.newestCommitMicros();
  }

  /** Why the timeline stopped; null while it has not. */
  public @Nullable PageserverException failure() {
    Running current = running;
    return current == null ? null : current.writer.failure();
  }

  /**
   * What cannot be done just now because disk or object store fail; empty while all can. It is
   * tried again until it is over.
   */
  public String storageFailures() {
    return layers.failureText();
  }

  /** What of that fails at the object store; null: nothing that is known. */
  public @Nullable StoreFailure storeFailure() {
    return layers.storeFailure();
  }

  /** How often disk or object store failed. */
  public long storageErrors() {
    return layers.failures().errors();
  }

  /** Bytes of layer files that the object store has not got. */
  public long unpublishedBytes() {
    return layers.unpublishedBytes();
  }

  /** How many layer files there are, and their bytes. */
  public int layerCount() {
    return layers.map().files().size();
  }

  public long layerBytes() {
    return layers.map().files().stream().mapToLong(f -> f.descriptor().fileBytes()).sum();
  }

  // Reading

  /**
   * Waits until {@code lsn} has been received.
   *
   * @throws PageserverException.LsnNotReceived when it was not within {@code timeout}
   */
  public void waitFor(long lsn, Duration timeout) {
    Running current = running;
    try {
      if (current == null ? lsn == 0 : current.writer.awaitReceived(lsn, timeout)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PageserverException.Unavailable("interrupted", e);
    }
    PageserverException reason = failure();
    if (reason != null) {
      throw reason;
    }
    throw new PageserverException.LsnNotReceived(
        name
            + ": "
            + Lsn.format(lsn)
            + " has not been received; WAL ends at "
            + Lsn.format(receivedLsn()));
  }

  /** The last record that ends at or before {@code lsn}: where an image can be made. */
  public RecordBoundary boundaryAt(long lsn) {
    requireReadable(lsn);
    RecordBoundary boundary = reader.boundaryAtOrBefore(lsn);
    if (boundary == null || Long.compareUnsigned(boundary.endLsn(), readableFromLsn()) < 0) {
      throw new PageserverException.Corrupt(
          name + ": no record ends at or before " + Lsn.format(lsn));
    }
    return boundary;
  }

  /** The state beside the pages as of {@code lsn}. */
  public ClusterView view(long lsn) {
    requireReadable(lsn);
    return new ClusterView(reader, dictionary, lsn);
  }

  /** What had been received when the primary was asked for its settings last. */
  public long settingsAskedLsn() {
    return running().writer.settingsAskedLsn();
  }

  /** The primary's settings when it was asked last; else none. */
  public ClusterSettings newestSettings() {
    return running().writer.settings();
  }

  /** The primary's settings as of {@code lsn}, as far as it was asked; else none. */
  public ClusterSettings settings(long lsn) {
    ClusterSettings newest = running().writer.settings();
    return Long.compareUnsigned(newest.lsn(), lsn) <= 0 ? newest : view(lsn).settings();
  }

  /** Blocks of a fork as of {@code lsn}, unsigned; -1 when it does not exist. */
  public int relationSize(RelFileLocator relation, int fork, long lsn) {
    return view(lsn).relationSize(relation, fork);
  }

  public List<RelationEntry> listRelations(int tablespaceOid, int databaseOid, long lsn) {
    return view(lsn).relations(tablespaceOid, databaseOid);
  }

  /** {@link #sharedPages}, copied to {@code target} one behind the other. */
  public void readPages(
      RelFileLocator relation, int fork, int firstBlock, int count, long lsn, byte[] target) {
    int at = 0;
    for (byte[] page : sharedPages(relation, fork, firstBlock, count, lsn)) {
      System.arraycopy(page, 0, target, at, Page.SIZE);
      at += Page.SIZE;
    }
  }

  /**
   * Reads a run of pages as of {@code lsn}, with their checksums where the cluster has them. They
   * are the page cache's own arrays, which nobody may write to.
   *
   * @throws PageserverException.NotFound when the fork does not exist or ends before the run does
   * @throws PageserverException.NotHere when a page of the run is on another shard
   */
  public byte[][] sharedPages(
      RelFileLocator relation, int fork, int firstBlock, int count, long lsn) {
    requireReadable(lsn);
    int id =
        dictionary.find(
            relation.tablespaceOid(), relation.databaseOid(), relation.relationNumber(), fork);
    byte[][] pages = new byte[count][];
    Chain chain = null;
    boolean sizeChecked = false;
    for (int i = 0; i < count; i++) {
      int block = firstBlock + i;
      long key = KeySpace.key(id, block);
      byte[] page = id < 0 ? null : pageCache.get(serial, key, lsn);
      if (page == null) {
        requireOwned(relation, fork, block);
        if (!sizeChecked) {
          requireBlocks(relation, fork, id, Integer.toUnsignedLong(firstBlock) + count, lsn);
          sizeChecked = true;
        }
        if (chain == null) {
          chain = new Chain();
        }
        page = materialise(relation, fork, key, lsn, chain);
      }
      pages[i] = page;
    }
    return pages;
  }

  /** {@link #sharedPages} when the page cache has them all, else null: never blocks. */
  public byte @Nullable [][] cachedPages(
      RelFileLocator relation, int fork, int firstBlock, int count, long lsn) {
    int id =
        dictionary.find(
            relation.tablespaceOid(), relation.databaseOid(), relation.relationNumber(), fork);
    if (id < 0) {
      return null;
    }
    byte[][] pages = new byte[count][];
    for (int i = 0; i < count; i++) {
      byte[] page = pageCache.get(serial, KeySpace.key(id, firstBlock + i), lsn);
      if (page == null) {
        return null;
      }
      pages[i] = page;
    }
    return pages;
  }

  private byte[] materialise(RelFileLocator relation, int fork, long key, long lsn, Chain chain) {
    byte[] page = new byte[Page.SIZE];
    if (!reader.page(key, lsn, page, chain)) {
      throw new PageserverException.Corrupt(
          "%s: no layer knows block %s of fork %d of %s at %s"
              .formatted(
                  name,
                  Integer.toUnsignedString(KeySpace.block(key)),
                  fork,
                  relation,
                  Lsn.format(lsn)));
    }
    if (running().checksums) {
      PageChecksum.set(page, KeySpace.block(key));
    }
    pageCache.put(serial, key, lsn, page);
    return page;
  }

  private void requireOwned(RelFileLocator relation, int fork, int block) {
    if (!shard.owns(relation.databaseOid(), relation.relationNumber(), fork, block)) {
      throw new PageserverException.NotHere(
          "%s does not keep block %s of fork %d of %s; shard %d does"
              .formatted(
                  name,
                  Integer.toUnsignedString(block),
                  fork,
                  relation,
                  shard.indexOf(relation.databaseOid(), relation.relationNumber(), fork, block)));
    }
  }

  private void requireBlocks(RelFileLocator relation, int fork, int id, long end, long lsn) {
    int blocks = id < 0 ? -1 : new ClusterView(reader, dictionary, lsn).relationSize(id);
    if (blocks == -1) {
      throw new PageserverException.NotFound(
          name + ": fork " + fork + " of " + relation + " does not exist at " + Lsn.format(lsn));
    }
    if (end > Integer.toUnsignedLong(blocks)) {
      throw new PageserverException.NotFound(
          "%s: fork %d of %s has %s blocks at %s; asked for up to block %d"
              .formatted(
                  name,
                  fork,
                  relation,
                  Integer.toUnsignedString(blocks),
                  Lsn.format(lsn),
                  end - 1));
    }
  }

  private void requireReadable(long lsn) {
    Running current = running();
    long from = current.writer.consistentLsn();
    if (from == 0) {
      throw new PageserverException.Unavailable(
          name + ": the end of the base backup has not been received yet", null);
    }
    if (Long.compareUnsigned(lsn, from) < 0) {
      throw new PageserverException.LsnCollected(
          "%s: %s lies before %s, the lowest LSN that can be read"
              .formatted(name, Lsn.format(lsn), Lsn.format(from)));
    }
    if (Long.compareUnsigned(lsn, current.writer.receivedLsn()) > 0) {
      throw new PageserverException.LsnNotReceived(
          "%s: %s has not been received; WAL ends at %s"
              .formatted(name, Lsn.format(lsn), Lsn.format(current.writer.receivedLsn())));
    }
  }

  /** Stops taking in WAL. What was not published is dropped: its source still has it. */
  @Override
  public void close() {
    Running current = running;
    if (current != null) {
      current.writer.close();
      current.flusher.close();
    }
    layers.close();
  }
}
