package dev.varve.local.zoo;

import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The lines of a server's log that a human would look at. */
final class LogLines {
  private static final Pattern LINE = Pattern.compile(".*?((?:WARNING|ERROR|FATAL|PANIC):.*)");

  /** Our own tries to log in too early, and sessions that had not ended at a restart. */
  private static final Set<String> EXPECTED =
      Set.of(
          "FATAL:  the database system is starting up",
          "FATAL:  terminating connection due to administrator command",
          "FATAL:  the database system is not yet accepting connections");

  private LogLines() {}

  /** Each once, without time and process. */
  static Set<String> of(String log) {
    return log.lines()
        .map(LINE::matcher)
        .filter(Matcher::matches)
        .map(line -> line.group(1))
        .filter(line -> !EXPECTED.contains(line))
        .collect(Collectors.toSet());
  }

  /** Those of a copy that its original has not. */
  static List<String> more(String copy, String original) {
    Set<String> lines = of(copy);
    lines.removeAll(of(original));
    return lines.stream().sorted().toList();
  }
}
