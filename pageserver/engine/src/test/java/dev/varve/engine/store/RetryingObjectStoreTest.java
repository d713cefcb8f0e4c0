package dev.varve.engine.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.testkit.ExpectedLog;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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

  /** Fails so, so often. */
  private static ObjectStore fails(int times, IOException e) {
    return new ForwardingObjectStore(new MemoryObjectStore()) {
      private int left = times;

      @Override
      public void put(String name, byte[] bytes) throws IOException {
        if (left-- > 0) {
          throw e;
        }
        super.put(name, bytes);
      }
    };
  }

  @Test
  void whatIsRefusedIsNotTriedAgain() {
    ExpectedLog.containing("the object store refuses since");
    ObjectStore refuses = retrying(fails(1, new StoreRefusedException("no rights")), 8);
    assertThrows(StoreRefusedException.class, () -> refuses.put("a/x", new byte[1]));
    assertEquals(List.of(), pauses);
    StoreFailure failure = Objects.requireNonNull(refuses.failure("a/"));
    assertEquals(StoreFailure.Kind.REFUSED, failure.kind());
    assertTrue(failure.text().contains("no rights"), failure.text());
  }

  @Test
  void whatIsThrottledWaitsLonger() throws IOException {
    ExpectedLog.containing("the object store asks for fewer requests since");
    StoreThrottledException slowDown =
        new StoreThrottledException("slow down", new IOException("503"));
    retrying(fails(7, slowDown), 8).put("a/x", new byte[1]);
    assertEquals(7, pauses.size());
    assertTrue(pauses.getFirst().toMillis() >= 250, pauses.toString());
    assertTrue(pauses.getLast().toMillis() >= 10_000, pauses.toString());
  }

  @Test
  void noPauseIsLongerThanTheCallersDeadline() {
    ObjectStore calls = retrying(fails(100, new IOException("down")), 100);
    StoreDeadline.after(Duration.ofMillis(20))
        .run(() -> assertThrows(IOException.class, () -> calls.put("a/x", new byte[1])));
    assertEquals(List.of(), pauses);
    StoreDeadline expired = StoreDeadline.open();
    expired.expire();
    expired.run(() -> assertThrows(IOException.class, () -> calls.put("a/x", new byte[1])));
    assertEquals(List.of(), pauses);
  }

  /** As the first listing of a pageserver that starts, whose caller waits for two seconds. */
  @Test
  void oneSlowAttemptIsNoOutage() {
    Instant now = Instant.parse("2026-01-01T00:00:10Z");
    StoreOutages outages = new StoreOutages(() -> now);
    IOException slow = new IOException("the caller waits no longer");
    outages.failed(StoreOperation.LIST, "readiness/", now.minusSeconds(3), slow);
    assertNull(outages.of(""));
    ExpectedLog.containing("the object store does not answer since");
    outages.failed(StoreOperation.LIST, "readiness/", now.minusSeconds(1), slow);
    assertEquals(now.minusSeconds(3), Objects.requireNonNull(outages.of("readiness/")).since());
    outages.failed(StoreOperation.GET, "a/x", now.minusSeconds(6), slow);
    assertEquals(now.minusSeconds(6), Objects.requireNonNull(outages.of("a/")).since());
  }

  @Test
  void oneFailureIsNoOutageAndSeveralAreOne() throws IOException {
    RetryingObjectStore once = (RetryingObjectStore) retrying(fails(1, new IOException("blip")), 8);
    once.put("a/x", new byte[1]);
    assertNull(once.failure(""));
    assertEquals(1, once.outages().failedAttempts(StoreOutages.Kind.UNREACHABLE));

    ExpectedLog.containing("the object store does not answer since");
    RetryingObjectStore often =
        (RetryingObjectStore) retrying(fails(9, new IOException("down")), 8);
    assertThrows(IOException.class, () -> often.put("a/b/x", new byte[1]));
    StoreFailure down = Objects.requireNonNull(often.failure("a/"));
    assertEquals(StoreFailure.Kind.UNREACHABLE, down.kind());
    assertTrue(
        down.text()
            .matches("the object store does not answer since \\S+Z, several attempts of put: down"),
        down.text());
    assertNull(often.failure("b/"));
    assertTrue(often.outages().seconds() >= 0);
    often.put("a/c", new byte[1]);
    assertEquals(down, often.failure("a/"), "another directory's success");
    often.put("a/b/y", new byte[1]);
    assertNull(often.failure("a/"));
    assertEquals(0, often.outages().seconds());
  }
}
