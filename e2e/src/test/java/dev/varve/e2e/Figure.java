package dev.varve.e2e;

import java.time.Duration;
import java.util.Locale;

/** Lines {@code figure: NAME VALUE UNIT}, for whoever collects them from a build's log. */
final class Figure {
  private Figure() {}

  static void print(String name, double value, String unit) {
    System.out.printf(Locale.ROOT, "figure: %s %.1f %s%n", name, value, unit);
  }

  static void print(String name, Duration value) {
    print(name, value.toMillis() / 1000.0, "s");
  }

  /** The time since a {@link System#nanoTime()}. */
  static Duration since(long nanos) {
    return Duration.ofNanos(System.nanoTime() - nanos);
  }
}
