package dev.varve.operator.plan;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens read a tenant's timelines, by their SHA-256 in hexadecimal digits: the one of its
 * Secret, and the one before for a while, so that readers change over one by one.
 *
 * @param current the one of the Secret as it was seen last
 * @param previous the one before; empty: there is none
 * @param until when that one ceases to read; of no meaning without one
 */
public record TokenRecord(String current, String previous, Instant until) {
  /**
   * What follows from a look at the Secret. A token that replaces the current one makes that the
   * one before, and the one before is refused at once: whoever rotates twice revokes.
   *
   * @param before null: there is no record yet
   */
  public static TokenRecord next(
      @Nullable TokenRecord before, String token, Instant now, Duration overlap) {
    if (before == null) {
      return new TokenRecord(token, "", Instant.EPOCH);
    }
    if (!token.equals(before.current)) {
      return new TokenRecord(token, before.current, now.plus(overlap));
    }
    return before.previous.isEmpty() || before.until.isAfter(now)
        ? before
        : new TokenRecord(token, "", Instant.EPOCH);
  }

  /** The newest first. */
  public List<String> accepted() {
    return previous.isEmpty() ? List.of(current) : List.of(current, previous);
  }

  /** How long the one before reads still; null: there is none. */
  public @Nullable Duration left(Instant now) {
    return previous.isEmpty() ? null : Duration.between(now, until);
  }
}
