package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Tries again what failed without a definite answer, so often and with a growing pause between. The
 * one place that does: what still fails after it is a failure that lasts. What the store refuses is
 * not tried again here; what it throttles, after longer pauses. Nothing is begun, and no pause
 * made, beyond the caller's {@link StoreDeadline}, and an interrupt ends it. Each failed attempt is
 * known to {@link #outages} at once, so that an outage shows however long one call takes.
 *
 * <p>A {@link #create} whose first answer was lost may find its own object at the second try; it
 * reads it back and has won when the bytes are its own. Objects that are created exclusively must
 * therefore differ from writer to writer, as manifests do by their generation.
 */
public final class RetryingObjectStore implements ObjectStore {
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);
  private static final Duration FIRST_THROTTLED_PAUSE = Duration.ofMillis(500);
  private static final Duration LONGEST_THROTTLED_PAUSE = Duration.ofSeconds(20);

  private final ObjectStore inner;
  private final int attempts;
  private final Duration firstPause;
  private final RandomGenerator random;
  private final Sleeper sleeper;
  private final StoreOutages outages = new StoreOutages();

  /** Waits. */
  public interface Sleeper {
    void sleep(Duration pause) throws InterruptedException;
  }

  /**
   * @param attempts at most, 1 or more
   * @param firstPause doubled after each attempt, up to two seconds
   */
  public RetryingObjectStore(ObjectStore inner, int attempts, Duration firstPause) {
    this(inner, attempts, firstPause, RandomGenerator.getDefault(), Thread::sleep);
  }

  /**
   * @param random shortens each pause by up to a half, so that many who failed together do not come
   *     back together
   */
  public RetryingObjectStore(
      ObjectStore inner,
      int attempts,
      Duration firstPause,
      RandomGenerator random,
      Sleeper sleeper) {
    if (attempts < 1 || firstPause.isNegative()) {
      throw new IllegalArgumentException(attempts + " attempts, first pause " + firstPause);
    }
    this.inner = inner;
    this.attempts = attempts;
    this.firstPause = firstPause;
    this.random = random;
    this.sleeper = sleeper;
  }

  /** What fails just now. */
  public StoreOutages outages() {
    return outages;
  }

  @Override
  public @Nullable StoreFailure failure(String prefix) {
    return outages.of(prefix);
  }

  private interface Call<T> {
    T run(boolean again) throws IOException;
  }

  private <T> T retry(StoreOperation operation, String name, Call<T> call) throws IOException {
    StoreDeadline deadline = StoreDeadline.current();
    if (deadline.isOver()) {
      throw new IOException(operation + " " + name + ": the caller waits no longer");
    }
    for (int attempt = 1; ; attempt++) {
      Instant began = Instant.now();
      try {
        T result = call.run(attempt > 1);
        outages.succeeded(operation, name);
        return result;
      } catch (ObjectNotFoundException | ObjectExistsException e) {
        outages.succeeded(operation, name);
        throw e;
      } catch (IOException e) {
        if (deadline.isExpired() || Thread.currentThread().isInterrupted()) {
          throw e; // the caller's end, not the store's fault
        }
        outages.failed(operation, name, began, e);
        Duration pause = shortened(pause(attempt, e));
        if (attempt >= attempts
            || e instanceof StoreRefusedException
            || deadline.nanosLeft() <= pause.toNanos()) {
          throw e;
        }
        try {
          sleeper.sleep(pause);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
  }

  private Duration pause(int attempt, IOException e) {
    boolean throttled = e instanceof StoreThrottledException;
    Duration first =
        throttled && firstPause.compareTo(FIRST_THROTTLED_PAUSE) < 0
            ? FIRST_THROTTLED_PAUSE
            : firstPause;
    Duration longest = throttled ? LONGEST_THROTTLED_PAUSE : LONGEST_PAUSE;
    Duration pause = first.multipliedBy(1L << Math.min(attempt - 1, 20));
    return pause.compareTo(longest) > 0 ? longest : pause;
  }

  private Duration shortened(Duration pause) {
    long half = pause.toNanos() / 2;
    return half == 0 ? pause : pause.minusNanos(random.nextLong(half));
  }

  @Override
  public byte[] get(String name) throws IOException {
    return retry(StoreOperation.GET, name, again -> inner.get(name));
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    return retry(StoreOperation.GET_RANGE, name, again -> inner.getRange(name, offset, length));
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    retry(
        StoreOperation.PUT,
        name,
        again -> {
          inner.put(name, bytes);
          return name;
        });
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    retry(
        StoreOperation.PUT_FILE,
        name,
        again -> {
          inner.putFile(name, file);
          return name;
        });
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    retry(
        StoreOperation.CREATE,
        name,
        again -> {
          try {
            inner.create(name, bytes);
          } catch (ObjectExistsException e) {
            if (!again || !isStored(name, bytes)) {
              throw e;
            }
          }
          return name;
        });
  }

  private boolean isStored(String name, byte[] bytes) throws IOException {
    try {
      return Arrays.equals(inner.get(name), bytes);
    } catch (ObjectNotFoundException e) {
      // Another one's, and removed already.
      return false;
    }
  }

  @Override
  public List<ObjectEntry> list(String prefix) throws IOException {
    return retry(StoreOperation.LIST, prefix, again -> inner.list(prefix));
  }

  @Override
  public List<ObjectEntry> list(String prefix, String after) throws IOException {
    return retry(StoreOperation.LIST, prefix, again -> inner.list(prefix, after));
  }

  @Override
  public void delete(String name) throws IOException {
    retry(
        StoreOperation.DELETE,
        name,
        again -> {
          inner.delete(name);
          return name;
        });
  }
}
