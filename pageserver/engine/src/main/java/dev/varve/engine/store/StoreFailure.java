package dev.varve.engine.store;

import java.time.Instant;

/**
 * What fails at an object store, for programs and in words.
 *
 * @param text names the beginning as well; it changes seldom while the same failure goes on
 */
public record StoreFailure(Kind kind, Instant since, String text) {
  /** What a person can do about it. */
  public enum Kind {
    /** No answer, or one that says that the server is failing. */
    UNREACHABLE,
    /** The server asks for fewer requests. */
    THROTTLED,
    /** Wrong credentials, rights, bucket, region, clock, or a server that is not fit. */
    REFUSED,
    /** Objects are gone that nobody had to remove. */
    OBJECTS_MISSING
  }
}
