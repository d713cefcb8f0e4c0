package dev.varve.engine.ingest;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.catalog.ClusterSettings;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.redo.RedoException;
import dev.varve.engine.redo.ResourceManagers;
import dev.varve.engine.timeline.Timeline;
import dev.varve.engine.tree.OpenLayer;
import dev.varve.engine.tree.TimelineLayers;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import java.time.Duration;
import java.util.SortedMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one writer of a timeline: WAL bytes go through the decoder and ingest into the open layer,
 * which is frozen when it is large or old enough. The WAL receiver's thread feeds it; the flusher's
 * may freeze an aged layer in between; one lock keeps them apart; waiting for room gives it up.
 */
public final class TimelineWriter implements RecordHost {
  private static final Logger log = LoggerFactory.getLogger(TimelineWriter.class);
  private static final Duration RETRY = Duration.ofSeconds(1);

  private final TimelineLayers layers;
  private final EngineOptions options;
  private final LongSupplier nanos;
  private final WalDecoder decoder;
  private final RecordFile longRecord;
  private final WalIngest ingest;
  private final WalRecord record = new WalRecord();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition room = lock.newCondition();
  private OpenLayer open;

  /** Whether the lock is given up while the open layer has half of a record. */
  private boolean inRecord;

  private final long backupStartLsn;

  /** 0: {@code XLOG_BACKUP_END} says it. */
  private long standbyBackupEndLsn;

  private final ReceivedLsn receivedLsn;
  private volatile ClusterSettings settings;

  /** What had been received when the primary was asked for its settings last. */
  private volatile long settingsAskedLsn;

  private volatile long consistentLsn;
  private volatile @Nullable PageserverException failure;
  private volatile boolean closed;

  /**
   * @param backupStartLsn where the base backup started, whose end makes the timeline readable
   * @param startLsn the published LSN that WAL goes on from
   * @param previousStartLsn the start of the last record before it, or {@link
   *     WalDecoder#UNKNOWN_PREV}
   * @param consistentLsn the end of the base backup when it is known, else 0
   * @param settings those that are stored
   */
  public TimelineWriter(
      TimelineLayers layers,
      EngineOptions options,
      LongSupplier nanos,
      ClusterIdentity identity,
      WalIngest ingest,
      OpenLayer open,
      long backupStartLsn,
      long startLsn,
      long previousStartLsn,
      long consistentLsn,
      ClusterSettings settings) {
    this.layers = layers;
    this.options = options;
    this.nanos = nanos;
    this.ingest = ingest;
    this.open = open;
    this.backupStartLsn = backupStartLsn;
    this.receivedLsn = new ReceivedLsn(startLsn);
    this.consistentLsn = consistentLsn;
    longRecord = new RecordFile(layers, this);
    this.settings = settings;
    this.settingsAskedLsn = startLsn;
    decoder =
        new WalDecoder(
            identity.major(), identity.walSegmentBytes(), identity.systemIdentifier(), longRecord);
    decoder.startAt(startLsn, previousStartLsn);
  }

  /** Everything up to here can be read. */
  public long receivedLsn() {
    return receivedLsn.get();
  }

  /** Waits until {@code lsn} can be read; returns false when it cannot be in time, or ever. */
  public boolean awaitReceived(long lsn, Duration timeout) throws InterruptedException {
    return receivedLsn.await(lsn, timeout.toNanos(), () -> failure != null || closed);
  }

  /** The end of the base backup; 0 while it has not been received. */
  public long consistentLsn() {
    return consistentLsn;
  }

  /** The next byte of WAL that is wanted. */
  public long wantedLsn() {
    return decoder.fedLsn();
  }

  public @Nullable PageserverException failure() {
    return failure;
  }

  /** Stops the timeline; the first reason stays. */
  public void fail(PageserverException reason) {
    if (failure == null) {
      failure = reason;
    }
    receivedLsn.wake();
    signalRoom();
  }

  public long newestCommitMicros() {
    return ingest.newestCommitMicros();
  }

  /** The newest settings. */
  public ClusterSettings settings() {
    return settings;
  }

  public long settingsAskedLsn() {
    return settingsAskedLsn;
  }

  /** See {@link Timeline#setSettings}. */
  public void setSettings(SortedMap<String, String> values) {
    lock.lock();
    try {
      long before = settingsAskedLsn;
      settingsAskedLsn = open.endLsn();
      if (!values.equals(settings.values())) {
        // Where WAL has moved on, the last answer was true at the place where it was given.
        long lsn = settingsAskedLsn == before ? before : before + 1;
        settings = new ClusterSettings(lsn, values);
        // A layer does not hold its start; no record ends at the byte behind it.
        ingest.putSettings(settings, open.isEmpty() ? settingsAskedLsn + 1 : settingsAskedLsn);
      }
    } finally {
      lock.unlock();
    }
  }

  /** See {@link Timeline#receive}. */
  public void receive(long lsn, byte[] wal, int offset, int length) {
    lock.lock();
    try {
      requireHealthy();
      decoder.feed(lsn, wal, offset, length);
      takeIn();
    } finally {
      lock.unlock();
    }
  }

  /** All records of what was fed, or the timeline stops: the open layer may have half of one. */
  private void takeIn() {
    boolean decoded = false;
    try {
      while (decoder.next(record)) {
        decoded = true;
        ingest.ingest(record, this);
        open.endRecord(record.startLsn, decoder.nextLsn());
        decoded = false;
        longRecord.close();
        if (consistentLsn == 0 && isBackupEnd(record.endLsn)) {
          consistentLsn = record.endLsn;
        }
        if (open.bytes() >= options.openLayerBytes()
            || layers.memory().isFull()
            || ingest.endsLayer()
            || !open.reaches(record.endLsn)) {
          freezeWhenThereIsRoom();
        }
      }
      receivedLsn.set(open.endLsn());
    } catch (PageserverException e) {
      throw stopped(e);
    } catch (RedoException e) {
      throw stopped(new PageserverException.Corrupt(describe(decoded) + e.getMessage(), e));
    } catch (RuntimeException | Error e) {
      throw stopped(new PageserverException.Corrupt(describe(decoded) + e, e));
    }
  }

  /** Of a base backup of a standby no record says where it ends. */
  public void endBackupAt(long lsn) {
    standbyBackupEndLsn = lsn;
  }

  private boolean isBackupEnd(long recordEndLsn) {
    return standbyBackupEndLsn == 0
        ? ingest.endedBackupStartLsn() == backupStartLsn
        : Long.compareUnsigned(recordEndLsn, standbyBackupEndLsn) >= 0;
  }

  /** For a writer that is closed nothing is lost: its WAL will be asked for again. */
  private PageserverException stopped(PageserverException reason) {
    if (!closed) {
      fail(reason);
    }
    return reason;
  }

  /** For messages: the record that is being taken in, or where the next one is looked for. */
  private String describe(boolean decoded) {
    if (!decoded) {
      return "WAL at " + Lsn.format(decoder.nextLsn()) + ": ";
    }
    return "record at %s (%s, info 0x%x, %d bytes): "
        .formatted(
            Lsn.format(record.startLsn),
            ResourceManagers.name(record.rmid),
            record.info,
            record.length);
  }

  /**
   * Freezes the open layer when it holds anything and is older than allowed, or when {@code now} is
   * asked for.
   *
   * @return whether it is empty now
   */
  public boolean freezeIfOld(boolean now) {
    lock.lock();
    try {
      if (failure == null
          && !inRecord
          && !open.isEmpty()
          && layers.map().frozen().isEmpty()
          && (now || nanos.getAsLong() - open.createdNanos() >= options.openLayerAge().toNanos())) {
        freeze();
      }
      return open.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  private void freeze() {
    OpenLayer next = new OpenLayer(open.endLsn(), nanos.getAsLong(), layers.memory());
    layers.freeze(next, consistentLsn);
    ingest.continueIn(next);
    open = next;
  }

  private void freezeWhenThereIsRoom() {
    receivedLsn.set(open.endLsn());
    awaitUntil(() -> !layers.isFull());
    // While this thread waited, the layer may have been frozen for its age.
    if (!open.isEmpty()) {
      freeze();
    }
    // Whoever has the memory, it becomes files at the latest when its layers are old enough.
    awaitUntil(() -> !layers.memory().isFull());
  }

  private void awaitUntil(BooleanSupplier condition) {
    while (!condition.getAsBoolean()) {
      requireHealthy();
      try {
        // Other timelines do not signal.
        room.await(50, TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }
  }

  private static PageserverException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new PageserverException.Unavailable("interrupted while waiting for room", e);
  }

  // RecordHost

  @Override
  public void writeOut() {
    if (!open.isEmpty()) {
      freezeWhenThereIsRoom();
    }
    awaitUntil(() -> layers.map().frozen().isEmpty());
  }

  @Override
  public void retryLater(String work, Exception cause) {
    if (layers.failures().failed(work, cause)) {
      log.warn("{}{} failed and is tried again: {}", layers.prefix(), work, cause.toString());
    }
    inRecord = true;
    try {
      long left = RETRY.toNanos();
      while (left > 0) {
        requireHealthy();
        left = room.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      throw interrupted(e);
    } finally {
      inRecord = false;
    }
  }

  /** A layer was written or published: whoever waits may look again. */
  public void signalRoom() {
    lock.lock();
    try {
      room.signalAll();
    } finally {
      lock.unlock();
    }
  }

  public void close() {
    closed = true;
    receivedLsn.wake();
    lock.lock();
    try {
      room.signalAll();
      longRecord.close();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void requireHealthy() {
    PageserverException reason = failure;
    if (reason != null) {
      throw reason;
    }
    if (closed) {
      throw new PageserverException.Unavailable("the timeline is being closed", null);
    }
  }
}
