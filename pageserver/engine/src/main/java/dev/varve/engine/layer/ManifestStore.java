package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * A timeline's manifests in the object store: numbered objects, each created exclusively, so that
 * of two owners one loses and knows it. Any thread, but one commit at a time.
 *
 * <p>Old manifests are removed, but never the one that an owner claimed the timeline with: it has
 * the number that the owner before would write next, however long that one slept. It is emptied
 * when the next owner comes, and its name stays taken for as long as the timeline lives. A claim
 * itself may have slept, and found a number free that was taken once; that its manifest is no
 * longer among the newest tells.
 */
public final class ManifestStore {
  private static final int KEPT = 8;

  private final ObjectStore store;
  private final String prefix;
  private final long owner;

  /** Number of the manifest that this owner claimed the timeline with. */
  private volatile long claimedNumber = Long.MAX_VALUE;

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
    while (true) {
      List<ObjectEntry> entries = store.list(prefix);
      if (entries.isEmpty()) {
        return Manifest.NONE;
      }
      String name = entries.getLast().name();
      try {
        return check(name, Manifest.decode(name, store.get(name)));
      } catch (ObjectNotFoundException e) {
        // Removed since the listing: there are newer ones.
      }
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
   * one's.
   *
   * @param generation the wanted one, or 0 for the next
   * @throws PageserverException.Fenced when a generation that is not lower holds it already
   */
  public Manifest claim(int generation) throws IOException {
    while (true) {
      Manifest newest = load();
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
      if (createOrFind(next) && isRecent(next.number())) {
        claimedNumber = next.number();
        emptyOld(next.number());
        return next;
      }
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
    return name(number + KEPT).compareTo(store.list(prefix).getLast().name()) > 0;
  }

  /** Leaves of what earlier owners could not remove the names alone. */
  private void emptyOld(long newest) throws IOException {
    for (ObjectEntry entry : store.list(prefix)) {
      if (entry.length() > 0 && entry.name().compareTo(name(Math.max(0, newest - KEPT))) < 0) {
        store.put(entry.name(), new byte[0]);
      }
    }
  }

  /**
   * Commits the manifest that follows the one this attachment committed last. After an {@link
   * IOException} it may be there or not: then nothing but the same manifest can be committed.
   *
   * @throws PageserverException.Fenced when another owner has taken that number
   */
  public void commit(Manifest next) throws IOException {
    if (!createOrFind(next)) {
      throw new PageserverException.Fenced(
          prefix
              + ": manifest "
              + next.number()
              + " was written by another owner; generation "
              + next.generation()
              + " stops");
    }
    removeOld(next.number());
  }

  private boolean isStored(Manifest manifest) throws IOException {
    try {
      return Arrays.equals(store.get(name(manifest.number())), manifest.encode());
    } catch (ObjectNotFoundException e) {
      return false;
    }
  }

  private void removeOld(long number) throws IOException {
    if (number - KEPT > claimedNumber) {
      store.delete(name(number - KEPT));
    }
  }
}
