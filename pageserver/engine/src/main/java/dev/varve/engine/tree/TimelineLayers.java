package dev.varve.engine.tree;

import dev.varve.engine.EngineOptions;
import dev.varve.engine.PageserverException;
import dev.varve.engine.layer.LayerDescriptor;
import dev.varve.engine.layer.LayerOrigin;
import dev.varve.engine.layer.LayerWriter;
import dev.varve.engine.layer.Manifest;
import dev.varve.engine.layer.ManifestGoneException;
import dev.varve.engine.layer.ManifestStore;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreFailure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A timeline's layers and the manifest that lists them: the one place where either changes. Readers
 * take the newest {@link LayerMap}; changes to it are made under this object's monitor, which is
 * not held across I/O. Manifests are committed one at a time, each made of the one before.
 */
public final class TimelineLayers implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TimelineLayers.class);
  private static final String LAYERS = "layers/";
  private static final String COMMITTING = "committing a manifest";
  private static final String COMPACTING = "writing a part of the manifest";

  /** Whoever had the timeline before may be read from so long, and read what a merge replaces. */
  private static final Duration OBSOLETE_AFTER = Duration.ofMinutes(1);

  private static final String REMOVING = "removing what is no longer wanted";
  private static final int REMOVED_AT_ONCE = 64;
  private static final Duration LAST_REMOVALS_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration REMOVAL_PAUSE = Duration.ofSeconds(10);
  private static final Duration FIRST_COMMIT_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_COMMIT_PAUSE = Duration.ofSeconds(10);

  private final ObjectStore store;
  private final String timelines;
  private final LayerOrigin origin;
  private final String prefix;
  private final Path directory;
  private final LayerResources resources;
  private final ManifestStore manifests;
  private final EngineOptions options;
  private final LongSupplier nanos;
  private final long claimedNanos;
  private final AtomicInteger nextSequence;
  private final StorageFailures failures = new StorageFailures();
  private final LayerAudit audit;
  private final CountDownLatch closing = new CountDownLatch(1);

  /** Held from the making of a manifest until it is stored; publication waits for no more. */
  private final ReentrantLock commits = new ReentrantLock();

  /** A commit of which it is not known whether it is stored; guarded by {@code commits}. */
  private @Nullable Commit undecided;

  /**
   * A manifest that is to be committed.
   *
   * @param stored the same layers, as the object has them
   */
  private record Commit(Manifest wanted, Manifest stored) {}

  private final AwaitedLsn publishedLsn;
  private volatile WorkSignals signals = WorkSignals.NONE;
  private volatile LayerMap map;
  private volatile Manifest manifest;
  private volatile long consistentLsn;
  private volatile long unpublishedBytes;

  /** Whether objects of earlier generations that no manifest lists have been removed. */
  private boolean isSwept;

  /** Objects that no manifest lists, to be removed. */
  private final Queue<String> unwanted = new ConcurrentLinkedQueue<>();

  private long removalFailedNanos;
  private boolean removalFailed;

  /**
   * Opens what a claimed manifest lists.
   *
   * @param timelines prefix of the objects of the tenant's timelines, with a slash at its end
   * @param origin the timeline and shard that this is
   * @param directory where this timeline's layer files are kept; made when it is not there
   * @param claimed the manifest that this attachment committed
   * @param nanos a monotonic clock
   */
  public TimelineLayers(
      ObjectStore store,
      String timelines,
      LayerOrigin origin,
      Path directory,
      LayerResources resources,
      ManifestStore manifests,
      Manifest claimed,
      EngineOptions options,
      LongSupplier nanos)
      throws IOException {
    this.store = store;
    this.timelines = timelines;
    this.origin = origin;
    this.prefix = timelines + origin.path();
    this.directory = directory;
    this.resources = resources;
    this.manifests = manifests;
    this.options = options;
    this.manifest = claimed;
    // An empty timeline was nobody's before.
    this.nanos = nanos;
    this.claimedNanos = nanos.getAsLong() - (claimed.isEmpty() ? OBSOLETE_AFTER.toNanos() : 0);
    this.consistentLsn = claimed.readableFromLsn();
    this.publishedLsn = new AwaitedLsn(claimed.publishedLsn());
    this.audit = new LayerAudit(store, timelines, prefix, failures, this::requireOwner, nanos);
    this.nextSequence = new AtomicInteger(claimed.nextSequence());
    Files.createDirectories(directory);
    List<LayerFile> files = new ArrayList<>();
    boolean opened = false;
    try {
      for (LayerDescriptor descriptor : claimed.layers()) {
        files.add(open(descriptor, true));
      }
      removeStrays(claimed);
      opened = true;
    } finally {
      if (!opened) {
        files.forEach(LayerFile::close);
      }
    }
    map = LayerMap.of(files);
  }

  /** Removes local files of an earlier run that the manifest does not list. */
  private void removeStrays(Manifest claimed) throws IOException {
    Set<String> listed = claimed.layers().stream().map(this::localName).collect(Collectors.toSet());
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        if (!listed.contains(file.getFileName().toString())) {
          Files.delete(file);
        }
      }
    }
  }

  /** Of the timeline's objects, with a slash at its end. */
  public String prefix() {
    return prefix;
  }

  public LayerMap map() {
    return map;
  }

  public Manifest manifest() {
    return manifest;
  }

  /**
   * @throws PageserverException.Fenced another attachment has the timeline
   */
  public void requireOwner() {
    try {
      int newest = manifests.load().generation();
      if (newest > manifest.generation()) {
        throw new PageserverException.Fenced(
            prefix
                + ": generation "
                + newest
                + " has attached; generation "
                + manifest.generation()
                + " stops");
      }
    } catch (IOException e) {
      throw new PageserverException.Unavailable(
          prefix + ": its newest manifest cannot be read: " + FailureText.of(e), e);
    }
  }

  public long consistentLsn() {
    return consistentLsn;
  }

  /** What disk and object store refuse. */
  public StorageFailures failures() {
    return failures;
  }

  /**
   * {@link #failures}, and what requests to the object store wait for, in words; empty: nothing.
   */
  public String failureText() {
    String work = failures.text();
    StoreFailure failing = store.failure(prefix);
    String requests = failing == null ? "" : failing.text();
    return work.isEmpty() || requests.isEmpty() ? work + requests : work + "; " + requests;
  }

  /** What fails at the object store; null: nothing that is known. */
  public @Nullable StoreFailure storeFailure() {
    StoreFailure missing = failures.missing();
    return missing != null ? missing : store.failure(prefix);
  }

  /** Bytes of layer files that the object store has not got. */
  public long unpublishedBytes() {
    return unpublishedBytes;
  }

  /** Those who do the work; they look at everything once by themselves. */
  public void setSignals(WorkSignals signals) {
    this.signals = signals;
  }

  /**
   * Waits until a manifest covers {@code lsn}.
   *
   * @param ended whether none will; asked again after {@link #wakePublished}
   * @return whether one does
   */
  public boolean awaitPublished(long lsn, Duration timeout, BooleanSupplier ended)
      throws InterruptedException {
    return publishedLsn.await(lsn, timeout.toNanos(), ended);
  }

  public void wakePublished() {
    publishedLsn.wake();
  }

  // The writer's side

  /** The open layer holds something. */
  public void begun() {
    signals.flush();
  }

  public synchronized void open(OpenLayer layer) {
    map = map.withOpen(layer);
  }

  /** The open layer is complete. */
  public synchronized void freeze(OpenLayer next, long consistentUpTo) {
    consistentLsn = consistentUpTo;
    map = map.withFrozen(next);
    signals.flush();
  }

  public LayerMemory memory() {
    return resources.memory();
  }

  /** Whether WAL has to wait for files of this timeline. */
  public boolean isFull() {
    return map.frozen().size() >= options.frozenLayers()
        || unpublishedBytes > options.unpublishedBytes();
  }

  // Files

  private LayerFile open(LayerDescriptor descriptor, boolean published) throws IOException {
    return new LayerFile(
        descriptor,
        store,
        timelines + descriptor.object(),
        directory.resolve(localName(descriptor)),
        resources.disk(),
        resources.blockCache(),
        published,
        this::missed);
  }

  /** A read found an object gone. */
  private void missed() {
    audit.want();
    signals.audit();
  }

  private String ownObject(String layer) {
    return prefix + LAYERS + layer;
  }

  /** Of a layer's local file; another origin may have given the same name. */
  private String localName(LayerDescriptor descriptor) {
    return descriptor.origin().equals(origin)
        ? descriptor.name()
        : descriptor.origin().path().replace('/', '.') + descriptor.name();
  }

  /** A new file; it gets its name when it is finished. */
  LayerWriter newLayer(boolean image, int level, long firstKey, long startLsn, long endLsn)
      throws IOException {
    int sequence = nextSequence.getAndIncrement();
    return new LayerWriter(
        temporary(sequence),
        origin,
        image,
        level,
        firstKey,
        startLsn,
        endLsn,
        manifest.generation(),
        sequence);
  }

  private Path temporary(int sequence) {
    return directory.resolve("writing-" + sequence);
  }

  /** Where a record that is too long for memory may be kept; a stray to whoever opens this next. */
  public Path recordFile() {
    return directory.resolve("record");
  }

  /** Gives a finished file its name and opens it. */
  LayerFile adopt(LayerDescriptor descriptor) throws IOException {
    Path written = temporary(descriptor.sequence());
    Path named = directory.resolve(localName(descriptor));
    try {
      Files.move(written, named);
      return open(descriptor, false);
    } catch (IOException e) {
      Files.deleteIfExists(written);
      Files.deleteIfExists(named);
      throw e;
    }
  }

  /**
   * Gives up files that no manifest lists, nor will: work that failed. Nothing is left of them, at
   * once on the local disk and in the object store by and by. Any thread.
   */
  void abandon(Collection<LayerFile> files) throws IOException {
    for (LayerFile file : files) {
      if (file.abandon()) {
        unwanted.add(file.objectName());
      }
    }
    signals.remove();
  }

  /** The file of a frozen layer takes its place; it is yet to be published. */
  public void fileWritten(OpenLayer layer, LayerFile file) {
    synchronized (this) {
      unpublishedBytes += file.descriptor().fileBytes();
      map = map.withFile(layer, file);
    }
    layer.release();
    signals.publish();
  }

  /** The same for images at the end of a record that is just being taken in. */
  public synchronized void imagesWritten(Collection<LayerFile> files) {
    unpublishedBytes += files.stream().mapToLong(file -> file.descriptor().fileBytes()).sum();
    map = map.withFiles(List.of(), files);
    signals.publish();
  }

  /** Brings a finished file to the object store, and the local disk within its bound. */
  void upload(LayerFile file) throws IOException {
    file.upload();
    resources.disk().shrink();
  }

  // The publisher's side

  /** Uploads what was written and commits it; false when there was nothing. */
  public boolean publish() throws IOException {
    List<LayerFile> unlisted =
        map.files().stream()
            .filter(file ->
                Long.compareUnsigned(file.descriptor().endLsn(), manifest.publishedLsn()) > 0)
            .toList();
    LayerFile newestDelta =
        unlisted.stream().filter(file -> !file.descriptor().isImage()).findFirst().orElse(null);
    if (newestDelta == null) {
      return false;
    }
    LayerDescriptor newest = newestDelta.descriptor();
    // An image is of use only with the records that end at it.
    List<LayerFile> waiting =
        unlisted.stream()
            .filter(file -> Long.compareUnsigned(file.descriptor().endLsn(), newest.endLsn()) <= 0)
            .toList();
    for (LayerFile file : waiting) {
      if (!file.isPublished()) {
        file.upload();
      }
    }
    List<LayerDescriptor> added = waiting.stream().map(LayerFile::descriptor).toList();
    long readableFrom =
        consistentLsn != 0 && Long.compareUnsigned(consistentLsn, newest.endLsn()) <= 0
            ? consistentLsn
            : 0;
    List<String> replacedBefore = isAlone() ? manifest.sections().replaced() : List.of();
    commit(last ->
        last.published(
                added, newest.endLsn(), newest.lastRecordLsn(), readableFrom, nextSequence.get())
            .withoutReplaced(replacedBefore));
    synchronized (this) {
      unpublishedBytes -= added.stream().mapToLong(LayerDescriptor::fileBytes).sum();
    }
    replacedBefore.forEach(name -> unwanted.add(ownObject(name)));
    publishedLsn.set(newest.endLsn());
    signals.published();
    resources.disk().shrink();
    return true;
  }

  /** Whether nobody reads any more what the attachment before left. */
  private boolean isAlone() {
    return untilAlone() == 0;
  }

  private long untilAlone() {
    return Math.max(0, OBSOLETE_AFTER.toNanos() - (nanos.getAsLong() - claimedNanos));
  }

  /**
   * Has the next commit write less, when the manifest has grown. A failure is left to the next
   * call, and to the commits, which then write more. One thread.
   */
  public void compactManifest() {
    try {
      manifests.prepare(manifest);
      failures.over(COMPACTING);
    } catch (IOException e) {
      if (failures.failed(COMPACTING, e)) {
        log.warn("{}: {} failed and is tried again: {}", prefix, COMPACTING, e.toString());
      }
    }
  }

  /**
   * Looks now and then whether the store still holds what the manifest lists.
   *
   * @return in how many nanoseconds it is to be called again
   */
  public long audit() {
    return audit.step(this::manifest, map.files());
  }

  /**
   * Removes objects, when the store lets it: whether it does makes no difference to what is
   * published, so that a failure shows and is all there is of it. One thread.
   *
   * @return in how many nanoseconds it is to be called again, at the latest; {@link
   *     Long#MAX_VALUE}: when there is something to remove
   */
  public long removeUnwanted() {
    if (removalFailed) {
      long left = REMOVAL_PAUSE.toNanos() - (nanos.getAsLong() - removalFailedNanos);
      if (left > 0) {
        return left;
      }
    }
    try {
      for (int i = 0; i < REMOVED_AT_ONCE; i++) {
        String name = unwanted.peek();
        if (name == null) {
          break;
        }
        store.delete(name);
        unwanted.remove();
      }
      manifests.removeOld(manifest.number());
      if (!isSwept && isAlone() && !manifest.isEmpty()) {
        manifests.emptyOld();
        sweep();
        manifests.sweepParts(manifest);
        isSwept = true;
      }
      failures.over(REMOVING);
      removalFailed = false;
      if (!unwanted.isEmpty()) {
        return 0;
      }
      return isSwept || manifest.isEmpty() ? Long.MAX_VALUE : untilAlone();
    } catch (IOException e) {
      removalFailed = true;
      removalFailedNanos = nanos.getAsLong();
      if (failures.failed(REMOVING, e)) {
        log.warn("{}{} failed and is tried again: {}", prefix, REMOVING, e.toString());
      }
      return REMOVAL_PAUSE.toNanos();
    }
  }

  /**
   * Removes the layers of earlier generations that no manifest lists: uploads of those who were
   * killed or fenced before the commit, merges and imports that were given up. They can be listed
   * no more; what a generation uploads after this is left to the next one.
   */
  private void sweep() throws IOException {
    Set<String> listed = new HashSet<>();
    manifest.layers().forEach(layer -> listed.add(timelines + layer.object()));
    manifest.sections().replaced().forEach(name -> listed.add(ownObject(name)));
    for (ObjectEntry entry : store.list(prefix + LAYERS)) {
      String name = entry.name().substring(prefix.length() + LAYERS.length());
      OptionalInt generation = LayerDescriptor.generationOf(name);
      if (generation.isPresent()
          && generation.getAsInt() < manifest.generation()
          && !listed.contains(entry.name())) {
        log.info("{}layer {} is in no manifest and is removed", prefix, name);
        store.delete(entry.name());
      }
    }
  }

  /** Commits merged files, which are uploaded, in the place of those they were merged from. */
  public void replace(Collection<LayerFile> removed, Collection<LayerFile> added)
      throws IOException {
    // What another timeline or shard wrote is not this one's to remove.
    List<String> replaced =
        removed.stream()
            .map(LayerFile::descriptor)
            .filter(layer -> layer.origin().equals(origin))
            .map(LayerDescriptor::name)
            .toList();
    commitOrClose(
        added,
        last ->
            last.replaced(
                    removed.stream().map(LayerFile::descriptor).toList(),
                    added.stream().map(LayerFile::descriptor).toList(),
                    nextSequence.get())
                .withReplaced(replaced));
    synchronized (this) {
      map = map.withFiles(removed, added);
    }
    for (LayerFile file : removed) {
      file.discardLocal();
    }
  }

  /** Commits the images of a base backup as the timeline's first layers. */
  public void commitImport(
      ClusterIdentity identity, long backupStartLsn, Collection<LayerFile> images)
      throws IOException {
    for (LayerFile file : images) {
      if (!file.isPublished()) {
        file.upload();
      }
    }
    commitOrClose(
        images,
        last ->
            last.imported(
                identity.major(),
                identity.systemIdentifier(),
                identity.walSegmentBytes(),
                backupStartLsn,
                nextSequence.get(),
                images.stream().map(LayerFile::descriptor).toList()));
    synchronized (this) {
      map = map.withFiles(List.of(), images);
    }
  }

  /**
   * Commits a manifest that lists {@code added}, which nobody closes but this when it cannot be: it
   * is not known then whether the manifest is stored, and the objects stay.
   */
  private void commitOrClose(Collection<LayerFile> added, UnaryOperator<Manifest> next)
      throws IOException {
    boolean committed = false;
    try {
      commit(next);
      committed = true;
    } finally {
      if (!committed) {
        added.forEach(LayerFile::close);
      }
    }
  }

  /** Commits the manifest that {@code next} makes of the last one. */
  private void commit(UnaryOperator<Manifest> next) throws IOException {
    commits.lock();
    try {
      commit(next.apply(manifest));
    } finally {
      commits.unlock();
    }
  }

  /**
   * Commits a manifest, however long the store is failing: until it is known whether it is there,
   * no other one can take its number.
   */
  private void commit(Manifest next) throws IOException {
    Commit committing = undecided;
    if (committing != null && !committing.wanted().equals(next)) {
      throw new IOException(
          "whether manifest "
              + committing.wanted().number()
              + " is stored is not known, and none can follow");
    }
    Duration pause = FIRST_COMMIT_PAUSE;
    while (true) {
      try {
        if (committing == null) {
          committing = new Commit(next, manifests.compact(next));
          undecided = committing;
        }
        manifests.commit(committing.stored());
        manifest = committing.stored();
        undecided = null;
        failures.over(COMMITTING);
        return;
      } catch (IOException e) {
        if (e instanceof ManifestGoneException) {
          // What is local may be all there is; the audit lets go of it again.
          map.files().forEach(file -> file.keepLocal(true));
          missed();
        }
        failures.failed(COMMITTING, e);
        if (pause.equals(FIRST_COMMIT_PAUSE)) {
          log.warn("{}manifest {} is tried again: {}", prefix, next.number(), e.toString());
        }
        try {
          if (closing.await(pause.toNanos(), TimeUnit.NANOSECONDS)) {
            throw e;
          }
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
        pause = pause.compareTo(LONGEST_COMMIT_PAUSE) < 0 ? pause.multipliedBy(2) : pause;
      }
    }
  }

  /** Waits for the store no longer: what comes now is the end. */
  public void stopCommitting() {
    closing.countDown();
  }

  /**
   * Brings a layer to the local disk, when there is room for it. One thread.
   *
   * @param stopped asked now and then
   * @return whether there was room, and time
   */
  public boolean fetch(LayerFile file, BooleanSupplier stopped) throws IOException {
    if (stopped.getAsBoolean() || !resources.disk().hasRoomFor(file.descriptor().fileBytes())) {
      return false;
    }
    file.fetch(directory.resolve("fetching-" + file.descriptor().name()), stopped);
    if (!map.files().contains(file)) {
      // Merged meanwhile.
      file.discardLocal();
    }
    return !stopped.getAsBoolean();
  }

  /**
   * Removes what is in the object store and will be in no manifest: nobody may attach the timeline
   * for long. A store that does not answer is not waited for; what stays is removed under the next
   * attachment.
   */
  private void removeUnlisted() {
    Set<String> listed = new HashSet<>();
    manifest.layers().forEach(layer -> listed.add(timelines + layer.object()));
    if (undecided != null) {
      undecided.stored().layers().forEach(layer -> listed.add(timelines + layer.object()));
    }
    for (LayerFile file : map.files()) {
      if (file.isPublished()
          && file.descriptor().origin().equals(origin)
          && !listed.contains(file.objectName())) {
        unwanted.add(file.objectName());
      }
    }
    if (isAlone()) {
      manifest.sections().replaced().stream()
          .map(this::ownObject)
          .filter(name -> !listed.contains(name))
          .forEach(unwanted::add);
    }
    StoreFailure failing = store.failure(prefix);
    boolean answers = failing == null || failing.kind() != StoreFailure.Kind.UNREACHABLE;
    if (!unwanted.isEmpty() && answers) {
      removalFailed = false; // once more, however short ago that was
      StoreDeadline.after(LAST_REMOVALS_TIMEOUT)
          .run(() -> {
            while (removeUnwanted() == 0) {
              // A batch was removed, and there are more.
            }
          });
    }
  }

  /** Nothing else may be under way. */
  @Override
  public void close() {
    stopCommitting();
    try {
      removeUnlisted();
    } finally {
      LayerMap last = map;
      last.files().forEach(LayerFile::close);
      last.frozen().forEach(OpenLayer::release);
      if (last.open() != null) {
        last.open().release();
      }
    }
  }

  /** Opens a timeline's layers for an attachment under a new generation. */
  public static TimelineLayers attach(
      ObjectStore store,
      String timelines,
      LayerOrigin origin,
      Path directory,
      LayerResources resources,
      int generation,
      EngineOptions options,
      LongSupplier nanos) {
    ManifestStore manifests =
        new ManifestStore(store, timelines + origin.path(), new SecureRandom().nextLong());
    return attach(
        store, manifests, timelines, origin, directory, resources, generation, options, nanos);
  }

  /**
   * Likewise.
   *
   * @param manifests the same one when an attachment is tried again, so that it keeps its claim
   */
  public static TimelineLayers attach(
      ObjectStore store,
      ManifestStore manifests,
      String timelines,
      LayerOrigin origin,
      Path directory,
      LayerResources resources,
      int generation,
      EngineOptions options,
      LongSupplier nanos) {
    try {
      Manifest claimed = manifests.claim(generation);
      return new TimelineLayers(
          store, timelines, origin, directory, resources, manifests, claimed, options, nanos);
    } catch (IOException | UncheckedIOException e) {
      throw new PageserverException.Unavailable(
          timelines + origin + ": cannot be attached: " + FailureText.of(e), e);
    }
  }
}
