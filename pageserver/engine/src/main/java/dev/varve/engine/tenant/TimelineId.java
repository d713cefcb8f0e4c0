package dev.varve.engine.tenant;

import dev.varve.engine.PageserverException;
import java.util.Random;
import java.util.regex.Pattern;

/**
 * A timeline's id: 128 bits that are drawn once, when the timeline is made, and never change. Names
 * lead to it; a name that is given to another timeline leads to another id.
 *
 * @param text 32 lower-case hexadecimal digits
 */
public record TimelineId(String text) {
  private static final Pattern TEXT = Pattern.compile("[0-9a-f]{32}");

  /**
   * @throws PageserverException.InvalidRequest when it is something else
   */
  public TimelineId {
    if (!TEXT.matcher(text).matches()) {
      throw new PageserverException.InvalidRequest(
          "timeline id '" + text + "' is not 32 lower-case hexadecimal digits");
    }
  }

  static TimelineId of(long high, long low) {
    return new TimelineId("%016x%016x".formatted(high, low));
  }

  static TimelineId random(Random random) {
    return of(random.nextLong(), random.nextLong());
  }

  long high() {
    return Long.parseUnsignedLong(text, 0, 16, 16);
  }

  long low() {
    return Long.parseUnsignedLong(text, 16, 32, 16);
  }

  @Override
  public String toString() {
    return text;
  }
}
