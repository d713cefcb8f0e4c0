package dev.varve.engine.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** How often, how long apart, and what a lost answer means. */
final class RetryingObjectStoreTest {
  private final List<Duration> pauses = new ArrayList<>();

  private ObjectStore retrying(ObjectStore inner, int attempts) {
    return new RetryingObjectStore(
        inner, attempts, Duration.ofMillis(100), new SplittableRandom(7), pauses::add);
  }

  @Test
  void pausesGrowAndEnd() {
    FaultyObjectStore down = new FaultyObjectStore(new MemoryObjectStore(), 1, 0);
    down.setDown(true);
    assertThrows(IOException.class, () -> retrying(down, 8).get("x"));
    assertEquals(7, pauses.size());
    long whole = 100;
    for (Duration pause : pauses) {
      assertTrue(pause.toMillis() <= whole && pause.toMillis() >= whole / 2, pauses.toString());
      whole = Math.min(2000, whole * 2);
    }
  }

  @Test
  void whatIsMissingIsNotTriedAgain() {
    assertThrows(
        ObjectNotFoundException.class, () -> retrying(new MemoryObjectStore(), 8).get("x"));
    assertEquals(List.of(), pauses);
  }

  /** Does what it is told, then loses the answer, so often. */
  private static ObjectStore losesAnswers(MemoryObjectStore memory, int times) {
    return new ForwardingObjectStore(memory) {
      private int left = times;

      @Override
      public void create(String name, byte[] bytes) throws IOException {
        super.create(name, bytes);
        if (left-- > 0) {
          throw new IOException("the answer was lost");
        }
      }
    };
  }

  @Test
  void aCreationWhoseAnswerWasLostHasWon() throws IOException {
    MemoryObjectStore memory = new MemoryObjectStore();
    retrying(losesAnswers(memory, 1), 3).create("x", new byte[] {1});
    assertArrayEquals(new byte[] {1}, memory.get("x"));
  }

  @Test
  void anotherOnesObjectHasNotWon() throws IOException {
    MemoryObjectStore memory = new MemoryObjectStore();
    memory.create("x", new byte[] {2});
    ObjectStore failsFirst =
        new ForwardingObjectStore(memory) {
          private boolean failed;

          @Override
          public void create(String name, byte[] bytes) throws IOException {
            if (!failed) {
              failed = true;
              throw new IOException("no answer");
            }
            super.create(name, bytes);
          }
        };
    assertThrows(
        ObjectExistsException.class, () -> retrying(failsFirst, 3).create("x", new byte[] {1}));
    assertArrayEquals(new byte[] {2}, memory.get("x"));
  }
}
