package dev.varve.testkit;

/**
 * Announces warnings and errors that a test provokes. The build's last step fails on log lines of
 * Varve at WARN or ERROR that no test announced.
 */
public final class ExpectedLog {
  private ExpectedLog() {}

  /** A log line that contains {@code part}, letter by letter, is what this test wants to see. */
  public static void containing(String part) {
    if (part.isBlank() || part.contains("\n")) {
      throw new IllegalArgumentException("would announce everything: '" + part + "'");
    }
    System.out.println("expected log: " + part);
  }
}
