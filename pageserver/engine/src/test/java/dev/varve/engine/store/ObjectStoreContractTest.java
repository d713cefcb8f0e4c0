package dev.varve.engine.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every object store does. */
public abstract class ObjectStoreContractTest {
  /** A store may tell whole seconds. */
  private static final Duration CLOCK_STEP = Duration.ofSeconds(1);

  @TempDir protected Path directory;
  private ObjectStore store;

  /** A new, empty store. */
  protected abstract ObjectStore create() throws Exception;

  @BeforeEach
  void open() throws Exception {
    store = create();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void getsWhatWasPut() throws IOException {
    store.put("a/b/c-1.2", bytes("hello"));
    assertArrayEquals(bytes("hello"), store.get("a/b/c-1.2"));
    store.put("a/b/c-1.2", bytes("other"));
    assertArrayEquals(bytes("other"), store.get("a/b/c-1.2"));
    store.put("empty", new byte[0]);
    assertEquals(0, store.get("empty").length);
  }

  @Test
  void getsWhatAFileHolds() throws IOException {
    Path file = directory.resolve("file");
    byte[] content = new byte[3_000_000];
    for (int i = 0; i < content.length; i++) {
      content[i] = (byte) (i * 31 >>> 8);
    }
    Files.write(file, content);
    store.putFile("big", file);
    assertArrayEquals(content, store.get("big"));
    byte[] range = store.getRange("big", 1_234_567, 89);
    for (int i = 0; i < range.length; i++) {
      assertEquals(content[1_234_567 + i], range[i]);
    }
  }

  @Test
  void getsRanges() throws IOException {
    store.put("r", bytes("0123456789"));
    assertArrayEquals(bytes("345"), store.getRange("r", 3, 3));
    assertArrayEquals(bytes("0123456789"), store.getRange("r", 0, 10));
    assertThrows(IOException.class, () -> store.getRange("r", 5, 6));
  }

  @Test
  void tellsThatNothingIsThere() {
    assertThrows(ObjectNotFoundException.class, () -> store.get("none"));
    assertThrows(ObjectNotFoundException.class, () -> store.getRange("none", 0, 1));
  }

  @Test
  void createsOnce() throws IOException {
    store.create("once", bytes("first"));
    assertThrows(ObjectExistsException.class, () -> store.create("once", bytes("second")));
    assertArrayEquals(bytes("first"), store.get("once"));
    store.delete("once");
    store.create("once", bytes("third"));
    assertArrayEquals(bytes("third"), store.get("once"));
  }

  @Test
  void deletes() throws IOException {
    store.put("gone", bytes("x"));
    store.delete("gone");
    assertThrows(ObjectNotFoundException.class, () -> store.get("gone"));
    store.delete("gone");
  }

  @Test
  void listsByPrefixInOrder() throws IOException {
    List<String> names = new ArrayList<>(List.of("p/a", "p/a.b", "p/b/c", "p/b/d", "p0", "q"));
    for (String name : names) {
      store.put(name, bytes(name));
    }
    assertEquals(
        List.of("p/a", "p/a.b", "p/b/c", "p/b/d"),
        store.list("p/").stream().map(ObjectEntry::name).toList());
    assertEquals(
        List.of("p/b/c", "p/b/d"), store.list("p/b/").stream().map(ObjectEntry::name).toList());
    assertEquals(3, store.list("p/a").getFirst().length());
    assertEquals(List.of(), store.list("nothing/"));
  }

  @Test
  void listsOnFromAName() throws IOException {
    List<String> names = List.of("p/a", "p/a.b", "p/b/c", "p/b/d", "p0");
    for (String name : names) {
      store.put(name, bytes(name));
    }
    List<String> listed = new ArrayList<>();
    List<ObjectEntry> some = store.list("p/", "");
    while (!some.isEmpty()) {
      some.forEach(entry -> listed.add(entry.name()));
      some = store.list("p/", listed.getLast());
    }
    assertEquals(List.of("p/a", "p/a.b", "p/b/c", "p/b/d"), listed);
    assertEquals("p/b/c", store.list("p/", "p/a~").getFirst().name());
    assertEquals(List.of(), store.list("p/", "p/b/d"));
  }

  @Test
  void listsWhenAnObjectWasWritten() throws IOException {
    Instant before = Instant.now().minus(CLOCK_STEP);
    store.put("new", bytes("x"));
    Instant modified = store.list("new").getFirst().modified();
    assertFalse(modified.isBefore(before), modified.toString());
    assertFalse(modified.isAfter(Instant.now().plus(CLOCK_STEP)), modified.toString());
  }

  @Test
  void ofSixteenRacingCreatorsOneWins() throws Exception {
    for (int round = 0; round < 20; round++) {
      String name = "race/" + round;
      CountDownLatch start = new CountDownLatch(1);
      AtomicInteger winners = new AtomicInteger();
      List<Thread> threads = new ArrayList<>();
      for (int writer = 0; writer < 16; writer++) {
        byte[] mine = bytes("writer " + writer);
        threads.add(
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    start.await();
                    store.create(name, mine);
                    winners.incrementAndGet();
                  } catch (ObjectExistsException e) {
                    // Another one won.
                  } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                }));
      }
      start.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(1, winners.get());
    }
  }
}
