package dev.varve.server.source;

import dev.varve.engine.store.FailureText;
import org.jspecify.annotations.Nullable;

/**
 * What is wrong with a source or with what takes its WAL.
 *
 * @param text what is wrong and what to do about it; empty while nothing is
 * @param room null unless the primary has none left
 */
public record SourceFailure(String text, @Nullable SourceRoom room) {
  /** Nothing is wrong. */
  public static final SourceFailure NONE = new SourceFailure("", null);

  /** What an exception says. */
  public static SourceFailure of(Throwable e) {
    return new SourceFailure(
        FailureText.of(e), e instanceof SourceException source ? source.room() : null);
  }
}
