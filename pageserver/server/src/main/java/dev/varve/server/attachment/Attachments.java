package dev.varve.server.attachment;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.tenant.StoredTimeline;
import dev.varve.engine.tenant.Tenants;
import dev.varve.engine.tenant.TimelineId;
import dev.varve.engine.tenant.TimelineName;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.source.PrimaryIdentity;
import dev.varve.server.source.PrimarySource;
import dev.varve.server.source.SourceException;
import dev.varve.server.source.SourceSettings;
import dev.varve.server.source.Tls;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All timelines of this pageserver. Attaching and detaching one timeline take turns, in which they
 * may wait for its objects and its primary; others go on meanwhile. Lookups take no lock.
 * Attachments are written to the data directory and come back by {@link #restore}.
 */
public final class Attachments implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Attachments.class);

  private final Tenants tenants;
  private final AttachmentFiles files;
  private final TokenFiles tokens;
  private final Tls tls;
  private final AttachmentWatcher watcher;
  private volatile boolean draining;
  private final Map<TimelineName, Attachment> byId = new ConcurrentHashMap<>();
  private final StartRehearsal rehearsal = new StartRehearsal(byId.values());
  private final RetentionWatch retention = new RetentionWatch(byId.values());
  private final TimelineTurns turns = new TimelineTurns();
  private volatile boolean closed;

  public Attachments(Tenants tenants, Path dataDirectory, Tls tls, AttachmentWatcher watcher) {
    this.tenants = tenants;
    this.files = new AttachmentFiles(dataDirectory);
    this.tokens = new TokenFiles(dataDirectory);
    this.tls = tls;
    this.watcher = watcher;
    retention.start();
  }

  /** Starts what was attached when the pageserver last ran. Does not wait for it. */
  public void restore() {
    for (AttachmentRecord record : files.load()) {
      LOG.info("{}: attached before, attaching again", record.id());
      SourceSettings settings = record.source();
      begin(record, settings == null ? null : new PrimarySource(settings, tls), null, Tenure.OWN);
    }
  }

  /**
   * Attaches a timeline and starts to feed it; the base backup goes on in the background.
   * Everything that can be known to be wrong with {@code settings} is found out first. Attaching
   * again with the same settings changes nothing but the tokens, if any are named.
   *
   * <p>When the caller counts generations, a source that cannot be reached is no error: what the
   * object store holds is served meanwhile. A higher generation replaces the attachment that is
   * there.
   *
   * @param target which timeline the name is to stand for
   * @param settings the primary; null to serve what the object store holds
   * @return the generation
   * @throws PageserverException when it cannot be attached; nothing is left of it then
   */
  public int attach(
      TimelineName id, AttachTarget target, @Nullable SourceSettings settings, Tenure tenure) {
    return turns.take(id, () -> attachInTurn(id, target, settings, tenure));
  }

  /** The timeline that the name leads to, or else a new one. */
  public int attach(TimelineName id, @Nullable SourceSettings settings, Tenure tenure) {
    return attach(id, AttachTarget.BY_NAME, settings, tenure);
  }

  private int attachInTurn(
      TimelineName id, AttachTarget target, @Nullable SourceSettings settings, Tenure tenure) {
    Attachment present = byId.get(id);
    if (present != null && !isOf(present, target.uid())) {
      throw new PageserverException.Unavailable(
          id + " is still attached as another timeline, " + present.uid() + "; detach that first",
          null);
    }
    if (draining && (present == null || present.isBelow(tenure.generation()))) {
      throw new PageserverException.Unavailable(
          "this pageserver is about to stop and takes nothing any more", null);
    }
    boolean replaces = present != null && present.isBelow(tenure.generation());
    if (replaces || (present == null && tenure.stored())) {
      // While the object store cannot say so, what is there is kept, and nothing is claimed.
      requireStored(id, present == null ? target.uid() : present.uid(), tenure);
    }
    if (present != null && replaces) {
      remove(present);
      present = null;
    }
    if (present != null) {
      if (tenure.isCounted() && present.timeline().generation() != tenure.generation()) {
        throw new PageserverException.Fenced(
            id
                + " is attached with generation "
                + present.timeline().generation()
                + "; "
                + tenure.generation()
                + " came too late");
      }
      if (Objects.equals(present.record().source(), settings)) {
        readWith(present, tenure.tokens());
        return present.timeline().generation();
      }
      throw new PageserverException.InvalidRequest(
          id + " is attached already, from another source; detach it first");
    }
    if (settings != null) {
      requireSlotOfItsOwn(settings);
    }
    PrimarySource source = settings == null ? null : new PrimarySource(settings, tls);
    return tenure.isCounted()
        ? attachCounted(id, target, settings, source, tenure)
        : attachOwn(id, target, settings, source, tenure);
  }

  /**
   * @param uid null: it may be any
   */
  private static boolean isOf(Attachment attachment, @Nullable TimelineId uid) {
    return uid == null || attachment.uid().equals(uid);
  }

  /** The timeline that the name is to stand for. */
  private TimelineId uid(TimelineName id, AttachTarget target, boolean mayBegin) {
    TimelineId uid = target.uid();
    if (uid == null) {
      uid = mayBegin ? tenants.claimName(id, null) : tenants.resolve(id);
    }
    if (uid == null) {
      throw holdsNothing(id.toString());
    }
    return uid;
  }

  /**
   * @throws PageserverException.NotFound when there is nothing to be adopted
   * @throws PageserverException.InvalidRequest when the source answers and is another cluster
   */
  private void requireAdoptable(TimelineName id, TimelineId uid, @Nullable PrimarySource source) {
    long stored = tenants.storedSystemIdentifier(id, uid);
    if (stored == 0) {
      throw new PageserverException.NotFound(
          "the object store holds no timeline " + uid + " of tenant " + id.tenant());
    }
    if (source == null) {
      return;
    }
    try {
      long primary = source.identify().systemIdentifier();
      if (primary != stored) {
        throw new PageserverException.InvalidRequest(
            "timeline "
                + uid
                + " is of the cluster with system identifier "
                + Long.toUnsignedString(stored)
                + ", and the primary is "
                + Long.toUnsignedString(primary)
                + ": name its own primary, or leave the source out to serve what is stored");
      }
    } catch (SourceException e) {
      LOG.debug("{}: whether the source is its own is seen when it answers", id, e);
    }
  }

  /** Two that share a slot let go of each other's WAL. */
  private void requireSlotOfItsOwn(SourceSettings settings) {
    for (Attachment other : byId.values()) {
      SourceSettings used = other.record().source();
      if (used != null
          && used.slot().equals(settings.slot())
          && used.address().equals(settings.address())) {
        throw new PageserverException.InvalidRequest(
            "slot \""
                + settings.slot()
                + "\" of primary "
                + settings.address()
                + " is the one of "
                + other.id()
                + "; name another slot");
      }
    }
  }

  private int attachCounted(
      TimelineName id,
      AttachTarget target,
      @Nullable SourceSettings settings,
      @Nullable PrimarySource source,
      Tenure tenure) {
    TimelineId uid = uid(id, target, source != null);
    if (target.adopts()) {
      requireAdoptable(id, uid, source);
    }
    Timeline timeline = tenants.attach(id, uid, tenure.generation());
    if (timeline.isEmpty() && (source == null || tenure.stored())) {
      tenants.detach(id);
      throw source == null ? holdsNothing(timeline.name()) : noLongerHolds(id, uid);
    }
    try {
      begin(new AttachmentRecord(id, uid, settings, 0, false), source, timeline, tenure);
    } catch (PageserverException.Unavailable e) {
      tenants.detach(id);
      throw e;
    }
    return timeline.generation();
  }

  private int attachOwn(
      TimelineName id,
      AttachTarget target,
      @Nullable SourceSettings settings,
      @Nullable PrimarySource source,
      Tenure tenure) {
    try {
      PrimaryIdentity primary = source == null ? null : source.identify();
      TimelineId uid = uid(id, target, source != null);
      if (target.adopts()) {
        requireAdoptable(id, uid, source);
        requireName(id, uid);
      }
      Timeline timeline = tenants.attach(id, uid, 0);
      try {
        AttachmentRecord record =
            new AttachmentRecord(
                id, uid, settings, primary == null ? 0 : primary.tli(), !timeline.isEmpty());
        prepare(timeline, source, primary, record);
        begin(record, source, timeline, tenure);
        return timeline.generation();
      } catch (PageserverException | SourceException e) {
        tenants.detach(id);
        throw e;
      }
    } catch (SourceException e) {
      throw e.toPageserverException();
    }
  }

  /**
   * Checks what can be checked and writes the attachment down, before a slot is made: one that
   * nobody knows of would keep the primary's WAL for ever.
   */
  private void prepare(
      Timeline timeline,
      @Nullable PrimarySource source,
      @Nullable PrimaryIdentity primary,
      AttachmentRecord record)
      throws SourceException {
    if (source == null || primary == null) {
      if (timeline.isEmpty()) {
        throw holdsNothing(timeline.name());
      }
      files.save(record);
    } else if (timeline.isEmpty()) {
      files.save(record);
      try {
        source.slot().create();
      } catch (SourceException e) {
        files.delete(record);
        throw e;
      }
    } else {
      source.verify(Attachment.expected(timeline, primary.tli()));
      files.save(record);
    }
  }

  /** From now on the name leads there; one that leads elsewhere does so until that is deleted. */
  private void requireName(TimelineName id, TimelineId uid) {
    TimelineId present = tenants.claimName(id, uid);
    if (!present.equals(uid)) {
      throw new PageserverException.InvalidRequest(
          "the name " + id + " leads to timeline " + present + " already; take another name");
    }
  }

  /**
   * @param uid null: the one that the name leads to
   */
  private void requireStored(TimelineName id, @Nullable TimelineId uid, Tenure tenure) {
    if (storedGeneration(id, uid) == 0 && tenure.stored()) {
      throw noLongerHolds(id, uid);
    }
  }

  private static PageserverException noLongerHolds(TimelineName id, @Nullable TimelineId uid) {
    return new PageserverException.NotFound(
        "the object store no longer holds the data of "
            + id
            + (uid == null ? "" : ", timeline " + uid)
            + ", which it held: somebody removed objects, or replaced the bucket; bring those below"
            + " the timeline's prefix back from the bucket's versions");
  }

  private static PageserverException holdsNothing(String name) {
    return new PageserverException.NotFound(
        "the object store holds nothing of "
            + name
            + "; name the primary to copy it from, or the retained timeline to adopt");
  }

  private void begin(
      AttachmentRecord record,
      @Nullable PrimarySource source,
      @Nullable Timeline timeline,
      Tenure tenure) {
    Attachment attachment =
        new Attachment(record, tenants, source, timeline, tenure.isCounted(), this::copied);
    ReadTokens known = tokens.load(record.id(), record.uid());
    attachment.readableWith(known);
    readWith(attachment, tenure.tokens());
    synchronized (this) {
      if (closed) {
        throw new PageserverException.Unavailable("this pageserver stops", null);
      }
      byId.put(record.id(), attachment);
    }
    watcher.attached(attachment);
    attachment.start();
    rehearsal.begin();
  }

  /** Written down before they count. That none are named changes nothing. */
  private void readWith(Attachment attachment, ReadTokens wanted) {
    if (!wanted.isOpen() && !wanted.equals(attachment.tokens())) {
      tokens.save(attachment.id(), attachment.uid(), wanted);
      attachment.readableWith(wanted);
    }
  }

  /**
   * Sets what readers of an attached timeline must show, whatever its generation.
   *
   * @param uid null: whichever is attached
   * @throws PageserverException.InvalidRequest when none are named
   */
  public void setTokens(TimelineName id, @Nullable TimelineId uid, ReadTokens wanted) {
    if (wanted.isOpen()) {
      throw new PageserverException.InvalidRequest(
          "token_sha256 is empty: what a token closed is opened by no call");
    }
    turns.run(
        id,
        () -> {
          Attachment attachment = attached(id, uid);
          if (attachment == null) {
            throw notAttached(id);
          }
          readWith(attachment, wanted);
        });
  }

  /** Writes down that the object store holds it now. */
  private synchronized void copied(Attachment attachment) {
    if (byId.get(attachment.id()) == attachment && !attachment.isCounted()) {
      try {
        files.save(attachment.record().asCopied());
      } catch (PageserverException.Unavailable e) {
        LOG.warn("{}: {}", attachment.id(), e.getMessage());
      }
    }
  }

  /** For tests. */
  StartRehearsal rehearsal() {
    return rehearsal;
  }

  /**
   * Stops serving and receiving. What the object store holds stays.
   *
   * @param dropSlot also drops the primary's slot: the primary then keeps no WAL for this timeline
   *     any more
   * @throws PageserverException when the slot cannot be dropped; the timeline is detached all the
   *     same
   */
  public void detach(TimelineName id, boolean dropSlot) {
    detach(id, null, dropSlot, null);
  }

  /**
   * Likewise.
   *
   * @param uid null: whichever is attached; another one that has the name is left alone
   * @param settings whose slot to drop when it is not attached here; null: that is an error
   */
  public void detach(
      TimelineName id,
      @Nullable TimelineId uid,
      boolean dropSlot,
      @Nullable SourceSettings settings) {
    turns.run(id, () -> detachInTurn(id, uid, dropSlot, settings));
  }

  private void detachInTurn(
      TimelineName id,
      @Nullable TimelineId uid,
      boolean dropSlot,
      @Nullable SourceSettings settings) {
    Attachment attachment = attached(id, uid);
    PrimarySource source;
    if (attachment != null) {
      remove(attachment);
      source = attachment.source();
    } else if (settings != null) {
      source = new PrimarySource(settings, tls);
    } else {
      throw notAttached(id);
    }
    dropSlot(id, dropSlot, source);
  }

  /** Likewise, and the object store says from now on that nobody attaches it and it is kept. */
  public void retain(
      TimelineName id,
      @Nullable TimelineId uid,
      boolean dropSlot,
      @Nullable SourceSettings settings) {
    turns.run(
        id,
        () -> {
          Attachment attachment = attached(id, uid);
          TimelineId kept = uid != null || attachment == null ? uid : attachment.uid();
          try {
            detachInTurn(id, uid, dropSlot, settings);
          } finally {
            if (kept != null) {
              markRetained(id, kept);
            }
          }
        });
  }

  /** What is lacking without it is the time. */
  private void markRetained(TimelineName id, TimelineId uid) {
    try {
      tenants.retain(id, uid);
    } catch (PageserverException e) {
      LOG.info("{}: {}", id, e.getMessage());
    }
  }

  /** Null: it is not attached here, or another one of that name is. */
  private @Nullable Attachment attached(TimelineName id, @Nullable TimelineId uid) {
    Attachment attachment = byId.get(id);
    return attachment != null && isOf(attachment, uid) ? attachment : null;
  }

  /**
   * Detaches a timeline if it is attached here, and removes its objects. May be repeated.
   *
   * @param uid null: the one that is attached, or that the name leads to
   * @param settings whose slot to drop when it is not attached here
   */
  public void delete(
      TimelineName id,
      @Nullable TimelineId uid,
      boolean dropSlot,
      @Nullable SourceSettings settings) {
    turns.run(id, () -> deleteInTurn(id, uid, dropSlot, settings));
  }

  private void deleteInTurn(
      TimelineName id,
      @Nullable TimelineId wanted,
      boolean dropSlot,
      @Nullable SourceSettings settings) {
    Attachment attachment = attached(id, wanted);
    PrimarySource source = settings == null ? null : new PrimarySource(settings, tls);
    TimelineId uid = wanted;
    if (attachment != null) {
      remove(attachment);
      source = attachment.source();
      uid = attachment.uid();
    } else if (uid == null) {
      uid = tenants.resolve(id);
    }
    if (uid != null) {
      tenants.deleteObjects(id, uid);
      tokens.delete(id, uid);
    }
    dropSlot(id, dropSlot, source);
  }

  /** See {@link Tenants#askStore}. */
  public void askStore() throws IOException {
    tenants.askStore();
  }

  /** See {@link Tenants#storeFailure}. */
  public @Nullable StoreFailure storeFailure() {
    return tenants.storeFailure();
  }

  /**
   * The generation that attached this timeline last, here or elsewhere; 0 for none.
   *
   * @param uid null: the one that the name leads to
   */
  public int storedGeneration(TimelineName id, @Nullable TimelineId uid) {
    TimelineId wanted = uid == null ? tenants.resolve(id) : uid;
    return wanted == null ? 0 : tenants.storedGeneration(id, wanted);
  }

  /** The timelines of a tenant that the object store holds, but some. */
  public List<StoredTimeline> stored(String tenant, Set<TimelineId> but) {
    return tenants.stored(tenant, but);
  }

  /**
   * Lets another pageserver go on with a timeline: everything received is published, nothing more
   * is received or written, reads go on until it is detached. The record of it is forgotten. May be
   * repeated.
   *
   * @return the published LSN
   * @throws PageserverException.Unavailable when it cannot be published now; it is received on then
   */
  public long handOver(TimelineName id, @Nullable TimelineId uid) {
    Attachment attachment = attached(id, uid);
    if (attachment == null) {
      throw notAttached(id);
    }
    long publishedLsn = attachment.handOver();
    turns.run(
        id,
        () -> {
          if (byId.get(id) == attachment) {
            files.delete(attachment.record());
          }
        });
    LOG.info("{}: handed over at {}", id, Lsn.format(publishedLsn));
    return publishedLsn;
  }

  private void remove(Attachment attachment) {
    synchronized (this) {
      files.delete(attachment.record());
      byId.remove(attachment.id());
    }
    watcher.detached(attachment.id());
    attachment.close();
    removeLocalFiles(attachment);
    synchronized (this) {
      notifyAll(); // of those who drain
    }
  }

  private void removeLocalFiles(Attachment attachment) {
    try {
      tenants.removeLocalFiles(attachment.id(), attachment.uid());
    } catch (PageserverException.Unavailable e) {
      LOG.warn("{}: detached, but its local files are left: {}", attachment.id(), e.getMessage());
    }
  }

  /**
   * Serves on, and takes nothing new, until what others attached with generations of their own was
   * detached by them; at most so long.
   */
  public synchronized void drain(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    draining = true;
    long left = timeout.toNanos();
    if (countedAttachments() > 0) {
      LOG.info("stopping; serving {} timelines until they have moved", countedAttachments());
    }
    try {
      while (countedAttachments() > 0 && left > 0) {
        TimeUnit.NANOSECONDS.timedWait(this, left);
        left = deadline - System.nanoTime();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (countedAttachments() > 0) {
      LOG.warn(
          "{} timelines have not moved within {} s; they are served again when they are attached"
              + " elsewhere",
          countedAttachments(),
          timeout.toSeconds());
    }
  }

  private long countedAttachments() {
    return byId.values().stream().filter(Attachment::isCounted).count();
  }

  /** Whether it is about to stop. */
  public boolean isDraining() {
    return draining;
  }

  private static void dropSlot(TimelineName id, boolean dropSlot, @Nullable PrimarySource source) {
    if (dropSlot && source != null) {
      try {
        source.slot().drop();
      } catch (SourceException e) {
        PageserverException cause = e.toPageserverException();
        throw new PageserverException.Unavailable(
            id + " is detached, but its slot is still there: " + cause.getMessage(), cause);
      }
    }
  }

  /** The attachment of this timeline. */
  public Attachment get(TimelineName id) {
    Attachment attachment = byId.get(id);
    if (attachment == null) {
      throw notAttached(id);
    }
    return attachment;
  }

  private static PageserverException notAttached(TimelineName id) {
    return new PageserverException.NotFound(id + " is not attached to this pageserver");
  }

  /**
   * The attachment of this timeline, for a reader. One who names no shard of a sharded timeline
   * gets the first: sizes, lists and images are the same on all.
   *
   * @param uid null: whichever has the name
   * @param token what the reader showed; null: nothing
   * @throws PageserverException.NotHere when it is not attached to this pageserver, or another one
   *     of that name is
   */
  public Attachment get(TimelineName id, @Nullable TimelineId uid, @Nullable Token token) {
    Attachment attachment = byId.get(id);
    if (attachment == null && id.shard().coversAll()) {
      attachment = firstShard(id);
    }
    if (attachment == null) {
      throw new PageserverException.NotHere(id + " is not attached to this pageserver");
    }
    attachment.requireToken(token);
    if (!isOf(attachment, uid)) {
      throw new PageserverException.NotHere(
          id
              + " is another timeline now, "
              + attachment.uid()
              + " and not "
              + uid
              + ": what was made from that one is not read here any more; make it anew");
    }
    return attachment;
  }

  private @Nullable Attachment firstShard(TimelineName whole) {
    for (Attachment one : byId.values()) {
      TimelineName id = one.id();
      if (id.shard().index() == 0
          && id.timeline().equals(whole.timeline())
          && id.tenant().equals(whole.tenant())) {
        return one;
      }
    }
    return null;
  }

  /** All, by name. */
  public List<Attachment> list() {
    return byId.values().stream()
        .sorted(Comparator.comparing((Attachment a) -> a.id().toString()))
        .toList();
  }

  /** Stops everything, and keeps the record of it for the next start. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    rehearsal.close();
    retention.close();
    for (Attachment attachment : list()) {
      byId.remove(attachment.id());
      attachment.close();
    }
    tenants.close();
  }
}
