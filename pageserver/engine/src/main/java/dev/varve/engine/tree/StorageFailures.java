package dev.varve.engine.tree;

import dev.varve.engine.store.FailureText;
import dev.varve.engine.store.ObjectsMissingException;
import dev.varve.engine.store.StoreFailure;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * What a timeline cannot do just now because disk or object store fail, by the work that failed
 * last, and since when; it is tried again until it succeeds. For whoever watches; any thread.
 */
public final class StorageFailures {
  /**
   * @param missing whether objects are gone
   */
  private record Failure(Instant since, String error, boolean missing) {}

  private final ConcurrentSkipListMap<String, Failure> failing = new ConcurrentSkipListMap<>();
  private final LongAdder errors = new LongAdder();

  /**
   * {@code work} failed and will be tried again.
   *
   * @return whether that is news
   */
  public boolean failed(String work, Exception e) {
    errors.increment();
    boolean[] news = new boolean[1];
    failing.compute(
        work,
        (_, before) -> {
          news[0] = before == null;
          return new Failure(
              before == null ? Instant.now() : before.since,
              FailureText.of(e),
              e instanceof ObjectsMissingException
                  || e.getCause() instanceof ObjectsMissingException);
        });
    return news[0];
  }

  /** {@code work} was done, or is no longer wanted. */
  public void over(String work) {
    failing.remove(work);
  }

  /** How often anything failed. */
  public long errors() {
    return errors.sum();
  }

  /** What fails since objects are gone; null while none are known to be. */
  @Nullable StoreFailure missing() {
    StoreFailure first = null;
    for (Failure failure : failing.values()) {
      if (failure.missing && (first == null || failure.since.isBefore(first.since()))) {
        first =
            new StoreFailure(
                StoreFailure.Kind.OBJECTS_MISSING,
                failure.since,
                failure.error + " (since " + failure.since.truncatedTo(ChronoUnit.SECONDS) + ")");
      }
    }
    return first;
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
