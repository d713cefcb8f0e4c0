package dev.varve.engine.layer;

import dev.varve.engine.PageserverException;
import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreDeadline;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Collectors;
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
 * <p>Most of the layers are listed in {@linkplain ManifestPart parts}: objects that are written
 * once, before a manifest that names them is committed. The name of a part has generation and owner
 * in it, so that no two owners write one, and no owner writes one twice. A part that none of the
 * newest {@value #KEPT} manifests names is removed.
 *
 * <p>A store whose listing and objects disagree is asked again a few times, with pauses, and is
 * then failing like one that does not answer ({@link IOException}); nobody is taken for fenced by
 * it.
 */
public final class ManifestStore {
  /** The newest manifests, so many, are there as long as the timeline is. */
  public static final int KEPT = 8;

  /** How often a store that contradicts itself is asked. */
  private static final int TRIES = 6;

  private static final long FIRST_PAUSE_MILLIS = 50;

  /** Old manifests that one commit removes: what a store refused to remove is caught up with. */
  private static final int REMOVED_AT_ONCE = 16;

  /** Changes that a manifest has before a part is made of them, in bytes. */
  private static final int FOLDED_BYTES = 16 << 10;

  /** No manifest has more: whoever commits makes a part first. */
  private static final int MAX_CHANGED_BYTES = 48 << 10;

  private final ObjectStore store;
  private final String prefix;
  private final String partsPrefix;
  private final long owner;

  /** Number of the manifest that this owner claimed the timeline with. */
  private volatile long claimedNumber = Long.MAX_VALUE;

  private @Nullable Manifest claimed;

  /** Parts of the manifest that was read or committed last, by name: none is read again. */
  private volatile Map<String, ManifestPart> read = Map.of();

  /** Parts that the manifest names which this owner committed last. */
  private Set<String> named = Set.of();

  /** Makes names of parts different. */
  private final AtomicInteger nextPart = new AtomicInteger();

  /** A part that is stored and that no manifest names yet; null: none. */
  private volatile @Nullable Fold prepared;

  /** Parts that no manifest names from a number on. */
  private final Queue<DroppedPart> dropped = new ConcurrentLinkedQueue<>();

  /** The same layers, before and after they became parts. */
  private record Fold(LayerList base, LayerList folded) {
    String newPart() {
      return folded.parts().getLast().name();
    }
  }

  /**
   * A part that is not wanted.
   *
   * @param number of the first manifest that does not name it
   */
  private record DroppedPart(String name, long number) {}

  /** The lowest number of this owner's that may still be there. */
  private long firstRemovable;

  /**
   * @param prefix of the timeline's objects, with a slash at its end
   * @param owner a number drawn at random: a lost answer is told from a lost race by it
   */
  public ManifestStore(ObjectStore store, String prefix, long owner) {
    this.store = store;
    this.prefix = prefix + "manifest/";
    this.partsPrefix = prefix + "parts/";
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
        return read(name);
      } catch (ObjectNotFoundException e) {
        // It, or a part of it, was removed since the listing: then there are newer ones.
        if (name.equals(missing)) {
          pause(attempt, name + " is listed but not found");
        }
        missing = name;
      }
    }
  }

  /**
   * A manifest of this timeline.
   *
   * @param name of the object
   * @throws ObjectNotFoundException when it, or a part that it names, is not there
   * @throws PageserverException when it cannot be read
   */
  public Manifest read(String name) throws IOException {
    Map<String, ManifestPart> before = read;
    Map<String, ManifestPart> parts = new HashMap<>();
    Manifest manifest =
        Manifest.decode(
            name,
            store.get(name),
            part -> {
              ManifestPart found = before.get(part);
              if (found == null) {
                String object = partsPrefix + part;
                found = ManifestPart.decode(part, object, store.get(object));
              }
              parts.put(part, found);
              return found;
            });
    read = parts;
    return check(name, manifest);
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
          named = names(next.list());
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
    Set<String> now = names(next.list());
    named.stream()
        .filter(name -> !now.contains(name))
        .forEach(name -> dropped.add(new DroppedPart(name, next.number())));
    named = now;
    read =
        next.list().parts().stream()
            .collect(Collectors.toMap(ManifestPart::name, Function.identity()));
    Fold fold = prepared;
    if (fold != null && now.contains(fold.newPart())) {
      prepared = null;
    }
  }

  private static Set<String> names(LayerList list) {
    return list.parts().stream().map(ManifestPart::name).collect(Collectors.toSet());
  }

  // Parts

  /**
   * Makes a part of the changes that the newest manifest has, when they are many: the next one that
   * is committed names it, and has the changes since. While others commit, one thread may.
   */
  public void prepare(Manifest newest) throws IOException {
    if (newest.list().changedBytes() > FOLDED_BYTES && prepared == null) {
      prepared = new Fold(newest.list(), fold(newest));
    }
  }

  private LayerList fold(Manifest manifest) throws IOException {
    String name =
        "%08x-%016x-%08x".formatted(manifest.generation(), owner, nextPart.getAndIncrement());
    LayerList folded = manifest.list().folded(name);
    store.put(partsPrefix + name, folded.parts().getLast().encode());
    return folded;
  }

  /**
   * The manifest to commit in the place of {@code next}: the same layers, few enough of them in the
   * manifest itself. What is prepared costs nothing; where that does not do, a part is made now.
   * Each call may give another one: whoever commits again has to commit the same.
   */
  public Manifest compact(Manifest next) throws IOException {
    Manifest compact = next;
    Fold fold = prepared;
    if (fold != null) {
      if (next.list().isChanged(fold.base())) {
        compact = next.withList(next.list().onto(fold.base(), fold.folded()));
      } else {
        dropped.add(new DroppedPart(fold.newPart(), next.number()));
        prepared = null;
      }
    }
    return compact.list().changedBytes() > MAX_CHANGED_BYTES
        ? compact.withList(fold(compact))
        : compact;
  }

  /**
   * Removes parts of earlier generations that {@code newest} does not name: those of owners who
   * ended before the commit.
   */
  public void sweepParts(Manifest newest) throws IOException {
    Set<String> wanted = new HashSet<>(names(newest.list()));
    dropped.forEach(part -> wanted.add(part.name()));
    String own = "%08x-".formatted(newest.generation());
    for (ObjectEntry entry : store.list(partsPrefix)) {
      String name = entry.name().substring(partsPrefix.length());
      if (name.compareTo(own) < 0 && !wanted.contains(name)) {
        store.delete(entry.name());
      }
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
   * Removes manifests of this owner that are no longer among the newest, a few at once, and parts
   * that only those name. What fails is left to the next call; commits do not depend on it. One
   * thread.
   *
   * @param newest the number that was committed last
   */
  public void removeOld(long newest) throws IOException {
    for (int i = 0; i < REMOVED_AT_ONCE && firstRemovable <= newest - KEPT; i++) {
      store.delete(name(firstRemovable));
      firstRemovable++;
    }
    DroppedPart part = dropped.peek();
    while (part != null && part.number() <= newest - KEPT) {
      store.delete(partsPrefix + part.name());
      dropped.remove();
      part = dropped.peek();
    }
  }
}
