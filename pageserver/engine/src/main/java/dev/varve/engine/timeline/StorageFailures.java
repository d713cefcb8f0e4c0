package dev.varve.engine.timeline;

import dev.varve.engine.store.FailureText;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * What a timeline cannot do just now because disk or object store fail, by the work that failed
 * last, and since when; it is tried again until it succeeds. For whoever watches; any thread.
 */
final class StorageFailures {
  private record Failure(Instant since, String error) {}

  private final ConcurrentSkipListMap<String, Failure> failing = new ConcurrentSkipListMap<>();
  private final LongAdder errors = new LongAdder();

  /**
   * {@code work} failed and will be tried again.
   *
   * @return whether that is news
   */
  boolean failed(String work, Exception e) {
    errors.increment();
    boolean[] news = new boolean[1];
    failing.compute(
        work,
        (_, before) -> {
          news[0] = before == null;
          return new Failure(before == null ? Instant.now() : before.since, FailureText.of(e));
        });
    return news[0];
  }

  /** {@code work} was done, or is no longer wanted. */
  void over(String work) {
    failing.remove(work);
  }

  /** How often anything failed. */
  long errors() {
    return errors.sum();
  }

  /** What fails, since when and why; empty while nothing does. */
  String text() {
    StringBuilder text = new StringBuilder();
    failing.forEach((work, failure) ->
        text.append(text.isEmpty() ? "" : "; ")
            .append(work)
            .append(" fails since ")
            .append(failure.since.truncatedTo(ChronoUnit.SECONDS))
            .append(" and is tried again: ")
            .append(failure.error));
    return text.toString();
  }
}
