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
 * of two owners one loses and knows it. The newest few are kept. Any thread, but one commit at a
 * time.
 */
public final class ManifestStore {
  private static final int KEPT = 8;

  private final ObjectStore store;
  private final String prefix;
  private final long owner;

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
      try {
        store.create(name(next.number()), next.encode());
        return next;
      } catch (ObjectExistsException e) {
        // Someone else was faster, or the object is this call's own from a try whose answer was
        // lost.
        if (isStored(next)) {
          return next;
        }
      }
    }
  }

  /**
   * Commits the manifest that follows the one this attachment committed last.
   *
   * @throws PageserverException.Fenced when another owner has taken that number
   */
  public void commit(Manifest next) throws IOException {
    byte[] bytes = next.encode();
    try {
      store.create(name(next.number()), bytes);
    } catch (ObjectExistsException e) {
      if (!isStored(next)) {
        throw new PageserverException.Fenced(
            prefix
                + ": manifest "
                + next.number()
                + " was written by another owner; generation "
                + next.generation()
                + " stops");
      }
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
    if (number > KEPT) {
      store.delete(name(number - KEPT));
    }
  }
}
