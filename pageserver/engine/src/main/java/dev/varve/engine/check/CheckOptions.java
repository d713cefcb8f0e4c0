package dev.varve.engine.check;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is checked, and how thoroughly.
 *
 * @param tenant null: all
 * @param timeline its id or its name; null: all
 * @param deep whether every block of every layer is read, not the index alone
 * @param sample pages of each shard that are redone; only with {@code deep}
 * @param grace what is younger may be about to be listed, and is no finding when nothing lists it
 * @param concurrency layers that are read at once
 */
public record CheckOptions(
    @Nullable String tenant,
    @Nullable String timeline,
    boolean deep,
    int sample,
    Duration grace,
    int concurrency) {
  public CheckOptions {
    if (sample < 0 || grace.isNegative() || concurrency < 1) {
      throw new IllegalArgumentException(
          "sample %d, grace %s, concurrency %d".formatted(sample, grace, concurrency));
    }
  }

  /** Of a store that nobody writes to: everything, to the last byte, and what is left over now. */
  public static CheckOptions atRest(int sample) {
    return new CheckOptions(null, null, true, sample, Duration.ZERO, 1);
  }
}
