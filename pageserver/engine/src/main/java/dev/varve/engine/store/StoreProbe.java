package dev.varve.engine.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether an object store does what a timeline's safety rests on. A server may speak the protocol,
 * ignore {@code If-None-Match: *}, and let two owners overwrite each other's manifests; so this
 * tries each thing that is needed on objects of its own, in a directory with a random name, and
 * removes them. Several may probe at once. One thread.
 */
public final class StoreProbe {
  private static final Logger log = LoggerFactory.getLogger(StoreProbe.class);

  /** Where probes put their objects. */
  public static final String DIRECTORY = "probe/";

  private static final int RACES = 8;
  private static final int RACERS = 8;

  /** What is needed. */
  public enum Need {
    READ_AFTER_WRITE("a read sees what was written"),
    CONDITIONAL_CREATE("an object is created only when none has its name (If-None-Match: *)"),
    OVERWRITE("an object is replaced by a later one, and read as that"),
    RANGE("a ranged read gives the bytes of the range and no others"),
    PARTS("a large object is uploaded in parts"),
    LIST("a listing has all objects of its prefix, at once, and no others"),
    /** Where it is lacking objects pile up, and no timeline is less safe. */
    DELETE_PERMISSION("an object may be deleted"),
    DELETE("a deleted object is gone from reads and listings at once"),
    RACE("of several that create one object at the same time exactly one succeeds");

    private final String description;

    Need(String description) {
      this.description = description;
    }

    public String description() {
      return description;
    }

    /** Whether a timeline is not safe without it. */
    public boolean isForSafety() {
      return this != DELETE_PERMISSION;
    }
  }

  /** Stores a file in parts however small it is. */
  public interface PartsUpload {
    void upload(String name, Path file) throws IOException;
  }

  /** One thing that is wrong with the store. */
  private static final class Unmet extends Exception {
    private static final long serialVersionUID = 1L;

    Unmet(String message) {
      super(message);
    }
  }

  private interface Check {
    void run() throws IOException, Unmet;
  }

  private final ObjectStore store;
  private final @Nullable PartsUpload parts;
  private final String directory;
  private final Map<Need, String> found = new LinkedHashMap<>();
  private final TreeSet<String> written = new TreeSet<>();

  /**
   * @param parts null: the store knows no parts
   */
  public StoreProbe(ObjectStore store, @Nullable PartsUpload parts, RandomGenerator random) {
    this.store = store;
    this.parts = parts;
    this.directory = DIRECTORY + "%016x/".formatted(random.nextLong());
  }

  /**
   * Tries everything but races.
   *
   * @return by need: empty when it is met, else what was seen instead
   * @throws IOException when the store does not answer, so that nothing is known
   */
  public Map<Need, String> run() throws IOException {
    try {
      check(Need.READ_AFTER_WRITE, this::readsWhatWasWritten);
      if (!found.getOrDefault(Need.READ_AFTER_WRITE, "").isEmpty()) {
        return found; // the others need it
      }
      check(Need.CONDITIONAL_CREATE, this::createsOnce);
      check(Need.OVERWRITE, this::overwrites);
      check(Need.RANGE, this::readsRanges);
      if (parts != null) {
        check(Need.PARTS, () -> uploadsInParts(parts));
      }
      check(Need.LIST, this::lists);
      check(Need.DELETE_PERMISSION, () -> store.delete(name("written")));
      if (found.getOrDefault(Need.DELETE_PERMISSION, "").isEmpty()) {
        check(Need.DELETE, this::deletes);
      }
      return found;
    } finally {
      removeObjects();
    }
  }

  /** Likewise, and has several create one object at the same time. */
  public Map<Need, String> runWithRaces() throws IOException {
    Map<Need, String> all = run();
    if (all.values().stream().allMatch(String::isEmpty)) {
      try {
        check(Need.RACE, this::oneOfSeveralCreates);
      } finally {
        removeObjects();
      }
    }
    return all;
  }

  private void check(Need need, Check check) throws IOException {
    try {
      check.run();
      found.put(need, "");
    } catch (Unmet | StoreRefusedException | ObjectNotFoundException | ObjectExistsException e) {
      found.put(need, String.valueOf(e.getMessage()));
    }
  }

  private String name(String name) {
    written.add(directory + name);
    return directory + name;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private void requireContent(String when, String name, String wanted) throws IOException, Unmet {
    byte[] got = store.get(name);
    if (!Arrays.equals(got, bytes(wanted))) {
      throw new Unmet(
          when + ", an object reads as '" + new String(got, StandardCharsets.US_ASCII) + "'");
    }
  }

  private void readsWhatWasWritten() throws IOException, Unmet {
    String name = name("written");
    store.put(name, bytes("0123456789"));
    try {
      requireContent("after it was written as '0123456789'", name, "0123456789");
    } catch (ObjectNotFoundException e) {
      throw new Unmet("an object that was just written is not found");
    }
  }

  private void createsOnce() throws IOException, Unmet {
    String name = name("once");
    store.create(name, bytes("first"));
    requireContent("after it was created as 'first'", name, "first");
    boolean again;
    try {
      store.create(name, bytes("second"));
      again = true;
    } catch (ObjectExistsException e) {
      again = false;
    }
    if (again) {
      throw new Unmet(
          "creating an object that exists succeeds, and it then reads as '"
              + new String(store.get(name), StandardCharsets.US_ASCII)
              + "': the condition is ignored");
    }
    requireContent("after creating it as 'second' was refused", name, "first");
  }

  private void overwrites() throws IOException, Unmet {
    String name = name("replaced");
    store.put(name, bytes("before"));
    store.put(name, bytes("after"));
    requireContent("after it was replaced by 'after'", name, "after");
  }

  private void readsRanges() throws IOException, Unmet {
    String name = name("written");
    byte[] range = store.getRange(name, 3, 4);
    if (!Arrays.equals(range, bytes("3456"))) {
      throw new Unmet(
          "bytes 3 to 6 of '0123456789' read as '"
              + new String(range, StandardCharsets.US_ASCII)
              + "'");
    }
  }

  private void uploadsInParts(PartsUpload upload) throws IOException, Unmet {
    String name = name("parts");
    Path file = Files.createTempFile("varve-probe", "");
    try {
      Files.write(file, bytes("of one part"));
      upload.upload(name, file);
    } finally {
      Files.delete(file);
    }
    requireContent("after it was uploaded in parts as 'of one part'", name, "of one part");
  }

  private void lists() throws IOException, Unmet {
    for (String name : List.of("list/a", "list/a.b", "list/b/c", "list-not")) {
      store.put(name(name), bytes(name));
    }
    requireListing("list/", List.of("list/a", "list/a.b", "list/b/c"));
    requireListing("list/b/", List.of("list/b/c"));
    requireListing("list/none/", List.of());
  }

  private void requireListing(String prefix, List<String> wanted) throws IOException, Unmet {
    List<String> all =
        wanted.stream().map(name -> lengthAndName(name.length(), directory + name)).toList();
    List<String> listed =
        store.list(directory + prefix).stream()
            .map(entry -> lengthAndName(entry.length(), entry.name()))
            .toList();
    if (!listed.equals(all)) {
      throw new Unmet("below " + directory + prefix + " it lists " + listed + ", not " + all);
    }
  }

  private static String lengthAndName(long bytes, String name) {
    return name + " of " + bytes + " bytes";
  }

  private void deletes() throws IOException, Unmet {
    String name = name("list/a.b");
    store.delete(name);
    try {
      store.get(name);
      throw new Unmet("an object that was just deleted is still read");
    } catch (ObjectNotFoundException e) {
      // As wanted.
    }
    requireListing("list/", List.of("list/a", "list/b/c"));
    store.delete(name);
    try {
      store.create(name, bytes("list/a.b"));
    } catch (ObjectExistsException e) {
      throw new Unmet("an object that was deleted cannot be created again");
    }
  }

  private void oneOfSeveralCreates() throws IOException, Unmet {
    for (int race = 0; race < RACES; race++) {
      String name = name("race-" + race);
      AtomicInteger winners = new AtomicInteger();
      CountDownLatch start = new CountDownLatch(1);
      List<Thread> racers = new ArrayList<>();
      for (int racer = 0; racer < RACERS; racer++) {
        byte[] mine = bytes("racer " + racer);
        racers.add(
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    start.await();
                    store.create(name, mine);
                    winners.incrementAndGet();
                  } catch (IOException e) {
                    // Lost, or not known: only two winners are an error.
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                }));
      }
      start.countDown();
      try {
        for (Thread racer : racers) {
          racer.join();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
      if (winners.get() != 1) {
        throw new Unmet(winners.get() + " of " + RACERS + " that created one object succeeded");
      }
    }
  }

  private void removeObjects() {
    for (String name : written) {
      try {
        store.delete(name);
      } catch (IOException e) {
        log.info("objects of a probe stay below {}: {}", directory, e.getMessage());
        return;
      }
    }
    written.clear();
  }
}
