package dev.varve.engine.store;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Tries again what failed without a definite answer, so often and with a growing pause between. The
 * one place that does: callers above it take what still fails as trouble that lasts.
 *
 * <p>A {@link #create} whose first answer was lost may find its own object at the second try; it
 * reads it back and has won when the bytes are its own. Objects that are created exclusively must
 * therefore differ from writer to writer, as manifests do by their generation.
 */
public final class RetryingObjectStore implements ObjectStore {
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);

  private final ObjectStore inner;
  private final int attempts;
  private final Duration firstPause;
  private final RandomGenerator random;
  private final Sleeper sleeper;

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

  private interface Call<T> {
    T run(boolean again) throws IOException;
  }

  private <T> T retry(Call<T> call) throws IOException {
    Duration pause = firstPause;
    for (int attempt = 1; ; attempt++) {
      try {
        return call.run(attempt > 1);
      } catch (ObjectNotFoundException | ObjectExistsException e) {
        throw e;
      } catch (IOException e) {
        if (attempt >= attempts) {
          throw e;
        }
        try {
          sleeper.sleep(shortened(pause));
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
        pause = pause.multipliedBy(2);
        if (pause.compareTo(LONGEST_PAUSE) > 0) {
          pause = LONGEST_PAUSE;
        }
      }
    }
  }

  private Duration shortened(Duration pause) {
    long half = pause.toNanos() / 2;
    return half == 0 ? pause : pause.minusNanos(random.nextLong(half));
  }

  @Override
  public byte[] get(String name) throws IOException {
    return retry(again -> inner.get(name));
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    return retry(again -> inner.getRange(name, offset, length));
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    retry(again -> {
      inner.put(name, bytes);
      return name;
    });
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    retry(again -> {
      inner.putFile(name, file);
      return name;
    });
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    retry(again -> {
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
    return retry(again -> inner.list(prefix));
  }

  @Override
  public void delete(String name) throws IOException {
    retry(again -> {
      inner.delete(name);
      return name;
    });
  }
}
