package dev.varve.engine.timeline;

import dev.varve.engine.store.FailureText;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * What a timeline cannot do just now because disk or object store fail, by the work that failed
 * last; it is tried again until it succeeds. For whoever watches; any thread.
 */
final class StorageTrouble {
  private final ConcurrentSkipListMap<String, String> failing = new ConcurrentSkipListMap<>();
  private final LongAdder errors = new LongAdder();

  /**
   * {@code work} failed and will be tried again.
   *
   * @return whether that is news
   */
  boolean failed(String work, Exception e) {
    errors.increment();
    return failing.put(work, FailureText.of(e)) == null;
  }

  /** {@code work} was done, or is no longer wanted. */
  void over(String work) {
    failing.remove(work);
  }

  /** How often anything failed. */
  long errors() {
    return errors.sum();
  }

  /** What fails and why; empty while nothing does. */
  String text() {
    StringBuilder text = new StringBuilder();
    failing.forEach((work, error) ->
        text.append(text.isEmpty() ? "" : "; ")
            .append(work)
            .append(" failed and is tried again: ")
            .append(error));
    return text.toString();
  }
}
