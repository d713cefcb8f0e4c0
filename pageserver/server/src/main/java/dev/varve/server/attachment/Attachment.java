package dev.varve.server.attachment;

import static dev.varve.engine.bytes.LittleEndian.i32;

import dev.varve.engine.PageserverException;
import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.source.BaseBackup;
import dev.varve.server.source.ConfigurationFiles;
import dev.varve.server.source.PrimaryIdentity;
import dev.varve.server.source.PrimarySettings;
import dev.varve.server.source.PrimarySource;
import dev.varve.server.source.ReceiverStatus;
import dev.varve.server.source.SettingsWatch;
import dev.varve.server.source.SourceException;
import dev.varve.server.source.SourceFailure;
import dev.varve.server.source.WalReceiver;
import dev.varve.server.source.WalSink;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One attached timeline and the thread that feeds it: loads it, takes the base backup if it is
 * empty, then receives WAL until it is closed. Owned by {@link Attachments}; {@link #report} and
 * {@link #timeline} may be asked by any thread.
 */
public final class Attachment implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Attachment.class);
  private static final Duration RETRY = Duration.ofSeconds(2);

  /** A base backup that begins costs the primary a checkpoint and reading all its data. */
  private static final Duration LONGEST_BACKUP_RETRY = Duration.ofMinutes(10);

  private static final Duration HAND_OVER_TIMEOUT = Duration.ofSeconds(4);
  private static final long END_TIMEOUT_MILLIS = 10_000;

  /** A compute's start waits no longer for a primary to show its settings. */
  private static final Duration SETTINGS_TIMEOUT = Duration.ofMillis(500);

  private final AttachmentRecord record;
  private final Tenants tenants;
  private final @Nullable PrimarySource source;
  private final boolean counted;
  private final Consumer<Attachment> whenCopied;
  private final AtomicLong copiedBytes = new AtomicLong();

  /** Null: there is no source. */
  private final @Nullable SourceRetention retention;

  /** Counted down when nothing is to be received any more, by {@link #close} at the latest. */
  private final CountDownLatch receivingEnds = new CountDownLatch(1);

  private final Thread thread;

  /** Ends what the thread waits for at the object store. */
  private final StoreDeadline storeCalls = StoreDeadline.detached();

  private volatile @Nullable Timeline timeline;
  private volatile @Nullable BaseBackup backup;
  private volatile @Nullable WalReceiver receiver;
  private volatile @Nullable SettingsWatch settings;
  private volatile @Nullable CompletableFuture<Long> handOverAsked;
  private volatile AttachmentState phase = AttachmentState.LOADING;
  private volatile SourceFailure failure = SourceFailure.NONE;

  /** Null unless it is BROKEN. */
  private volatile @Nullable Throwable brokenBy;

  private volatile ReadTokens tokens = ReadTokens.LOST;
  private volatile boolean closed;

  /**
   * @param timeline when it is attached already; else null and the thread does that
   * @param counted whether the one who attached counts generations
   * @param whenCopied is told once the object store holds the timeline
   */
  Attachment(
      AttachmentRecord record,
      Tenants tenants,
      @Nullable PrimarySource source,
      @Nullable Timeline timeline,
      boolean counted,
      Consumer<Attachment> whenCopied) {
    this.record = record;
    this.tenants = tenants;
    this.source = source;
    this.timeline = timeline;
    this.counted = counted;
    this.whenCopied = whenCopied;
    retention =
        source == null
            ? null
            : new SourceRetention(
                record.id().toString(), source, this::requireOwner, this::stopReceiving);
    thread =
        Thread.ofPlatform()
            .name("varve-ingest-" + record.id())
            .unstarted(() -> storeCalls.run(this::run));
  }

  /** Sets the tokens that readers must show one of. */
  void readableWith(ReadTokens wanted) {
    tokens = wanted;
  }

  /** What readers must show. */
  public ReadTokens tokens() {
    return tokens;
  }

  /**
   * @param shown null: nothing
   * @throws PageserverException.Unauthenticated unless it is a token that reads this timeline
   */
  public void requireToken(@Nullable Token shown) {
    if (!tokens.accepts(shown)) {
      throw new PageserverException.Unauthenticated(
          record.id()
              + (shown == null
                  ? " is read with its tenant's token only: send it as authorization: Bearer TOKEN"
                  : ": the token is not the one of its tenant; take it from the tenant's Secret"));
    }
  }

  /** Whether an attachment of this generation replaces it. */
  boolean isBelow(int generation) {
    Timeline loaded = timeline;
    return loaded != null && loaded.generation() < generation;
  }

  /** Whether the one who attached it also moves it elsewhere when this pageserver stops. */
  boolean isCounted() {
    return counted;
  }

  void start() {
    thread.start();
  }

  public TimelineName id() {
    return record.id();
  }

  /** Which timeline it is, whatever its name is. */
  public TimelineId uid() {
    return record.uid();
  }

  AttachmentRecord record() {
    return record;
  }

  @Nullable PrimarySource source() {
    return source;
  }

  /**
   * The timeline, to read from.
   *
   * @throws PageserverException.Unavailable while it is being loaded
   * @throws PageserverException.TooNew when a newer release wrote what it is kept in
   * @throws PageserverException.TooOld when this release reads that no more
   * @throws PageserverException.Corrupt when it cannot be loaded for another reason
   */
  public Timeline timeline() {
    Timeline loaded = timeline;
    if (loaded == null) {
      if (phase == AttachmentState.BROKEN) {
        throw notLoaded(record.id() + " cannot be loaded: " + failure.text(), brokenBy);
      }
      throw new PageserverException.Unavailable(record.id() + " is being loaded", null);
    }
    return loaded;
  }

  private static PageserverException notLoaded(String text, @Nullable Throwable cause) {
    return switch (cause) {
      case PageserverException.TooNew _ -> new PageserverException.TooNew(text, cause);
      case PageserverException.TooOld _ -> new PageserverException.TooOld(text, cause);
      case null, default -> new PageserverException.Corrupt(text, cause);
    };
  }

  /** The timeline once it can be read, before that null. */
  @Nullable Timeline readable() {
    Timeline loaded = timeline;
    return loaded == null || loaded.isEmpty() || loaded.readableFromLsn() == 0 ? null : loaded;
  }

  /** Whether it was loaded, or is known to be failing: whether a caller gets an answer. */
  public boolean isSettled() {
    return timeline != null || !failure.equals(SourceFailure.NONE);
  }

  private void run() {
    try {
      Timeline loaded = load();
      if (loaded == null) {
        return;
      }
      PrimarySource primary = source;
      if (primary == null) {
        phase = AttachmentState.ACTIVE;
        return;
      }
      PrimarySettings primarySettings = new PrimarySettings(primary);
      if (loaded.isEmpty()) {
        copy(loaded, primary, primarySettings);
      }
      if (receivingEnds()) {
        return;
      }
      if (!record.copied()) {
        whenCopied.accept(this);
      }
      failure = SourceFailure.NONE;
      phase = AttachmentState.CATCHING_UP;
      receive(loaded, primary, primarySettings);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      if (!closed) {
        failure = SourceFailure.of(e);
        brokenBy = e;
        phase = AttachmentState.BROKEN;
        LOG.error("{}: stopped", record.id(), e);
      }
    }
  }

  /** Attaches after a restart, again and again while the object store does not answer. */
  private @Nullable Timeline load() throws InterruptedException {
    while (timeline == null && !receivingEnds()) {
      try {
        requireObjects();
        timeline = tenants.attach(record.id(), record.uid(), 0);
        failure = SourceFailure.NONE;
      } catch (PageserverException.Unavailable e) {
        pause(e, RETRY);
      }
    }
    return timeline;
  }

  /** A timeline whose objects are gone is not begun anew: its past would be lost without a word. */
  private void requireObjects() {
    if (record.copied() && tenants.storedGeneration(record.id(), record.uid()) == 0) {
      throw new PageserverException.Unavailable(
          "the object store holds nothing of "
              + record.id()
              + " any more: restore its objects, or detach it and attach it again, which copies the"
              + " primary anew",
          null);
    }
  }

  /** Takes the base backup; starts over when the source or the object store fail. */
  private void copy(Timeline target, PrimarySource primary, PrimarySettings primarySettings)
      throws InterruptedException {
    Duration retry = RETRY;
    while (!receivingEnds()) {
      try (BaseBackup copy = new BaseBackup(primary, copiedBytes)) {
        phase = AttachmentState.COPYING;
        copiedBytes.set(0);
        backup = copy;
        PrimaryIdentity identity = primary.identify();
        long keptLsn = primary.slot().create();
        LOG.info("{}: copying {}", record.id(), primary.settings());
        try (BaseBackupImport into = target.beginImport(clusterIdentity(identity), keptLsn)) {
          ConfigurationFiles configuration = new ConfigurationFiles(new ImportSink(into));
          copy.copy(identity, configuration);
          into.finish();
          primarySettings.expect(configuration.names());
        }
        LOG.info("{}: copied {} bytes", record.id(), copiedBytes);
        return;
      } catch (SourceException | PageserverException.Unavailable | IOException e) {
        if (receivingEnds()) {
          return;
        }
        phase = AttachmentState.SOURCE_FAILING;
        pause(e, retry);
        boolean begun =
            copiedBytes.get() > 0
                || (e instanceof SourceException s && s.kind() == SourceException.Kind.UNFIT);
        if (begun) {
          Duration doubled = retry.multipliedBy(2);
          retry = doubled.compareTo(LONGEST_BACKUP_RETRY) < 0 ? doubled : LONGEST_BACKUP_RETRY;
        }
      } finally {
        backup = null;
      }
    }
  }

  /** Receives WAL until this is closed, the timeline can take no more, or it is handed over. */
  private void receive(Timeline target, PrimarySource primary, PrimarySettings primarySettings) {
    boolean ended = false;
    while (!ended && !receivingEnds() && !target.isTakenOver()) {
      primarySettings.expect(target.newestSettings().values().keySet());
      WalSink sink = new TimelineWalSink(target);
      String name = record.id().toString();
      try (WalReceiver feed =
              new WalReceiver(
                  name, primary, primarySettings, expected(target, record.tli()), sink);
          SettingsWatch watch =
              new SettingsWatch(name, primary, primarySettings, sink, feed::isStreaming)) {
        receiver = feed;
        if (target.shard().index() == 0) { // which images are made by
          settings = watch;
          Thread.ofVirtual().name("varve-settings-" + name).start(watch);
        }
        if (!receivingEnds() && !isHandOverAsked()) {
          feed.run();
          ended = feed.status().state() != ReceiverStatus.State.STOPPED;
        }
      }
      CompletableFuture<Long> asked = handOverAsked;
      if (asked != null && !asked.isDone()) {
        answerHandOver(asked, target);
      }
    }
  }

  private boolean isHandOverAsked() {
    CompletableFuture<Long> asked = handOverAsked;
    return asked != null && !asked.isDone();
  }

  private static void answerHandOver(CompletableFuture<Long> asked, Timeline target) {
    try {
      asked.complete(target.handOver(HAND_OVER_TIMEOUT));
    } catch (PageserverException e) {
      asked.completeExceptionally(e);
    }
  }

  /**
   * Publishes everything that was received and receives no more; reads go on. May be repeated.
   *
   * @return the published LSN
   * @throws PageserverException.Unavailable when it cannot be published now; it is received on then
   */
  synchronized long handOver() {
    Timeline loaded = timeline();
    if (loaded.readableFromLsn() == 0) {
      throw new PageserverException.Unavailable(
          record.id() + " holds nothing that can be read yet", null);
    }
    if (!loaded.isTakenOver()) {
      // The bulk of it while WAL still comes in, so that it stops for a moment only.
      loaded.publishNow(HAND_OVER_TIMEOUT);
    }
    CompletableFuture<Long> asked = new CompletableFuture<>();
    handOverAsked = asked;
    try {
      WalReceiver feed = receiver;
      if (feed != null) {
        feed.close();
      }
      if (!thread.isAlive()) {
        answerHandOver(asked, loaded);
      }
      return asked.get(2 * HAND_OVER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof PageserverException known
          ? known
          : new PageserverException.Unavailable(record.id() + " was not handed over", e);
    } catch (TimeoutException e) {
      throw new PageserverException.Unavailable(
          record.id() + " still takes in what it received: " + loaded.storageFailures(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new PageserverException.Unavailable("interrupted", e);
    } finally {
      asked.cancel(false);
      handOverAsked = null;
    }
  }

  private void pause(Exception e, Duration retry) throws InterruptedException {
    SourceFailure found = SourceFailure.of(e);
    if (!found.equals(failure)) {
      LOG.warn("{}: {}; trying again", record.id(), found.text());
    }
    failure = found;
    receivingEnds.await(retry.toMillis(), TimeUnit.MILLISECONDS);
  }

  /**
   * What the primary of a timeline must be; {@code tli} 0 when that is not known from elsewhere.
   */
  static PrimaryIdentity expected(Timeline timeline, int tli) {
    ClusterIdentity identity = timeline.identity();
    int current = tli;
    if (timeline.readableFromLsn() != 0) {
      current = i32(timeline.view(timeline.receivedLsn()).checkPoint(), CheckPoint.THIS_TLI);
    }
    return new PrimaryIdentity(
        identity.systemIdentifier(), identity.major(), current, identity.walSegmentBytes(), 0);
  }

  private static ClusterIdentity clusterIdentity(PrimaryIdentity identity) {
    return new ClusterIdentity(
        identity.systemIdentifier(), identity.major(), identity.walSegmentBytes());
  }

  /**
   * Asks the primary for its settings when an image at {@code lsn} may have newer ones than those
   * that are known, and the primary is there.
   */
  public void refreshSettings(long lsn) {
    SettingsWatch watch = settings;
    if (watch != null && Long.compareUnsigned(lsn, timeline().settingsAskedLsn()) >= 0) {
      watch.refresh(SETTINGS_TIMEOUT);
    }
  }

  /** What it is about now. */
  public TimelineReport report() {
    return snapshot().report();
  }

  private AttachmentSnapshot snapshot() {
    Timeline loaded = timeline;
    boolean takenOver = loaded != null && loaded.isTakenOver();
    WalReceiver feed = takenOver ? null : receiver;
    return new AttachmentSnapshot(
        record.id(),
        record.uid(),
        phase,
        failure,
        loaded,
        takenOver,
        feed == null ? null : feed.status(),
        retention,
        copiedBytes.get(),
        tenants.storeFailure());
  }

  /** One look at what the primary keeps for this timeline; does not block. */
  void watchRetention() {
    AttachmentSnapshot now = snapshot();
    if (retention != null && !now.isAnothers() && !closed) {
      retention.step(now.receiver(), now.reason());
    }
  }

  private void requireOwner() {
    Timeline loaded = timeline;
    if (loaded != null) {
      loaded.requireOwner();
    }
  }

  /** Ends whatever talks to the primary, soon. */
  private void stopReceiving() {
    receivingEnds.countDown();
    BaseBackup copy = backup;
    if (copy != null) {
      copy.close();
    }
    WalReceiver feed = receiver;
    if (feed != null) {
      feed.close();
    }
  }

  private boolean receivingEnds() {
    return receivingEnds.getCount() == 0;
  }

  /**
   * Stops the thread, then the timeline. What was received and not published will be asked for
   * again.
   */
  @Override
  public void close() {
    closed = true;
    storeCalls.expire();
    stopReceiving();
    tenants.detach(record.id());
    try {
      thread.join(END_TIMEOUT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
