package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A timeline's manifests in the object store: numbered objects, each created exclusively, so that
 * of two owners one loses and knows it. Any thread, but one commit at a time.
 *
 * <p>Old manifests are removed, but never the one that an owner claimed the timeline with: it has
 * the number that the owner before would write next, however long that one slept. It is emptied
 * some time after the next owner came, and its name stays taken for as long as the timeline lives.
 * A claim itself may have slept, and found a number free that was taken once; that its manifest is
 * no longer among the newest tells. So the newest few, back to the claim, are there as long as the
 * timeline is; where they are not the store was emptied, and nothing is committed.
 *
 * <p>A store whose listing and objects disagree is asked again a few times, with pauses, and is
 * then failing like one that does not answer ({@link IOException}); nobody is taken for fenced by
 * it.
 */
public final class ManifestStore {
  private static final int KEPT = 8;

  /** How often a store that contradicts itself is asked. */
  private static final int TRIES = 6;

  private static final long FIRST_PAUSE_MILLIS = 50;

  /** Old manifests that one commit removes: what a store refused to remove is caught up with. */
  private static final int REMOVED_AT_ONCE = 16;

  private final ObjectStore store;
  private final String prefix;
  private final long owner;

  /** Number of the manifest that this owner claimed the timeline with. */
  private volatile long claimedNumber = Long.MAX_VALUE;

  private @Nullable Manifest claimed;

  /** The lowest number of this owner's that may still be there. */
  private long firstRemovable;

  /**
   * @param prefix of the timeline's objects, with a slash at its end
   * @param owner a number drawn at random: a lost answer is told from a lost race by it
   */
  public ManifestStore(ObjectStore store, String prefix, long owner) {
    this.store = store;
    this.prefix = prefix + "manifest/";
    this.owner = owner;
  }

  private String name(long number) {
    return prefix + "%020d".formatted(number);
  }

  /** The newest manifest, or {@link Manifest#NONE}. */
  public Manifest load() throws IOException {
    String missing = "";
    for (int attempt = 1; ; attempt++) {
      List<ObjectEntry> entries = store.list(prefix);
      if (entries.isEmpty()) {
        return Manifest.NONE;
      }
      String name = entries.getLast().name();
      try {
        return check(name, Manifest.decode(name, store.get(name)));
      } catch (ObjectNotFoundException e) {
        // Removed since the listing: then there are newer ones.
        if (name.equals(missing)) {
          pause(attempt, name + " is listed but not found");
        }
        missing = name;
      }
    }
  }

  /**
   * Before the store is asked again.
   *
   * @throws IOException saying what it contradicts itself in, when that was often enough
   */
  private static void pause(int attempt, String contradiction) throws IOException {
    if (attempt >= TRIES || StoreDeadline.current().isOver()) {
      throw new IOException("the object store contradicts itself: " + contradiction);
    }
    try {
      TimeUnit.MILLISECONDS.sleep(FIRST_PAUSE_MILLIS << attempt - 1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while " + contradiction, e);
    }
  }

  private Manifest check(String name, Manifest manifest) {
    if (!name.equals(name(manifest.number()))) {
      throw new PageserverException.Corrupt(
          "manifest " + name + " says that it is number " + manifest.number());
    }
    return manifest;
  }

  /**
   * Makes this attachment the owner: creates the next manifest with a generation above the newest
   * one's. One that is the owner already, and could not go on, stays it: an attachment that is
   * tried again and again leaves one manifest.
   *
   * @param generation the wanted one, or 0 for the next
   * @throws PageserverException.Fenced when a generation that is not lower holds it already
   */
  public Manifest claim(int generation) throws IOException {
    for (int attempt = 1; ; attempt++) {
      Manifest newest = load();
      if (newest.equals(claimed) && (generation == 0 || generation == newest.generation())) {
        return newest;
      }
      int wanted = generation == 0 ? newest.generation() + 1 : generation;
      if (wanted <= newest.generation()) {
        throw new PageserverException.Fenced(
            prefix
                + ": generation "
                + newest.generation()
                + " has attached; "
                + wanted
                + " came too late");
      }
      Manifest next = newest.claimedBy(wanted, owner);
      if (createOrFind(next)) {
        if (isRecent(next.number())) {
          claimedNumber = next.number();
          claimed = next;
          firstRemovable = next.number() + 1;
          return next;
        }
      } else if (load().number() < next.number()) {
        pause(attempt, name(next.number()) + " exists but is not listed");
        continue;
      }
      attempt = 0; // lost a race: that is no contradiction
    }
  }

  /**
   * Whether the manifest is stored now: by this call, or by an earlier one whose answer was lost.
   */
  private boolean createOrFind(Manifest manifest) throws IOException {
    try {
      store.create(name(manifest.number()), manifest.encode());
      return true;
    } catch (ObjectExistsException e) {
      return isStored(manifest);
    }
  }

  /** Whether no manifest of this number can have been removed yet. */
  private boolean isRecent(long number) throws IOException {
    List<ObjectEntry> entries = store.list(prefix);
    return entries.isEmpty() || name(number + KEPT).compareTo(entries.getLast().name()) > 0;
  }

  /** Leaves of what earlier owners could not remove the names alone. May be repeated. */
  public void emptyOld() throws IOException {
    for (ObjectEntry entry : store.list(prefix)) {
      if (entry.length() > 0
          && entry.name().compareTo(name(Math.max(0, claimedNumber - KEPT))) < 0) {
        store.put(entry.name(), new byte[0]);
      }
    }
  }

  /**
   * Commits the manifest that follows the one this attachment committed last. After an {@link
   * IOException} it may be there or not: then nothing but the same manifest can be committed.
   *
   * @throws PageserverException.Fenced when another owner has taken that number
   * @throws ManifestGoneException when a manifest before it is gone
   */
  public void commit(Manifest next) throws IOException {
    requireBefore(next);
    if (!createOrFind(next)) {
      throw fenced(next, "manifest " + next.number() + " was written by another owner");
    }
  }

  /**
   * A store that was emptied has every number free, so exclusive creation alone would go on in it.
   * The last but one is read, since the last may be all there is: it was created after its own
   * check, and objects may have been removed in between. The whole of it: an emptied one has no
   * range to be read.
   */
  private void requireBefore(Manifest next) throws IOException {
    long number = Math.max(claimedNumber, next.number() - 2);
    if (number >= next.number()) {
      return; // nothing before it is known to be this owner's
    }
    String before = name(number);
    try {
      store.get(before);
    } catch (ObjectNotFoundException e) {
      int newest = load().generation();
      if (newest > next.generation()) {
        throw fenced(next, "generation " + newest + " has attached");
      }
      throw new ManifestGoneException(before);
    }
  }

  private PageserverException.Fenced fenced(Manifest late, String reason) {
    return new PageserverException.Fenced(
        prefix + ": " + reason + "; generation " + late.generation() + " stops");
  }

  /** What another one has taken is there as long as the timeline is, emptied perhaps. */
  private boolean isStored(Manifest manifest) throws IOException {
    String name = name(manifest.number());
    try {
      return Arrays.equals(store.get(name), manifest.encode());
    } catch (ObjectNotFoundException e) {
      throw new IOException(
          "the object store contradicts itself: " + name + " exists but is not found", e);
    }
  }

  /**
   * Removes manifests of this owner that are no longer among the newest, a few at once. What fails
   * is left to the next call; commits do not depend on it. One thread.
   *
   * @param newest the number that was committed last
   */
  public void removeOld(long newest) throws IOException {
    for (int i = 0; i < REMOVED_AT_ONCE && firstRemovable <= newest - KEPT; i++) {
      store.delete(name(firstRemovable));
      firstRemovable++;
    }
  }
}
