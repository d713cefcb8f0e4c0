package dev.varve.local.zoo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The table of a run, as Markdown: one line for each animal, one column for each comparison. */
final class ZooTable {
  /** What {@code docs/fidelity.md} has from here on is the zoo's. */
  static final String HEADING = "# Clusters of many shapes\n";

  private static final int COLUMNS = Comparison.values().length;
  private static final String EQUAL = "=";
  private static final String NOT_COMPARED = "-";

  private ZooTable() {}

  /**
   * @param kept lines by the names of animals, for those that were not visited
   */
  static String render(List<Animal> animals, List<Visit> visits, Map<String, String> kept) {
    StringBuilder text = new StringBuilder(HEADING);
    text.append(
        """

        From runs of `deploy/local/zoo`: each cluster is attached to a pageserver, stock PostgreSQL
        starts on the mount and eagerly at the end of its WAL, and both are compared with the
        original, on the majors that the second column names. `=`: nothing differs on any of them.
        Numbers: the majors on which something does. `-`: not compared, since a step before it
        failed.

        | Column | Compares |
        |---|---|
        """);
    for (Comparison comparison : Comparison.values()) {
      text.append("| ")
          .append(comparison.title())
          .append(" | ")
          .append(comparison.meaning())
          .append(" |\n");
    }
    text.append("\nOf `pg_control` these differ by design:");
    List<String> own = new ArrayList<>();
    new TreeMap<>(StandbyComparison.own())
        .forEach((field, reason) -> own.add("\n`" + field + "` (" + reason + ")"));
    text.append(String.join(",", own)).append(".\n\n| Cluster | Majors |");
    for (Comparison comparison : Comparison.values()) {
      text.append(' ').append(comparison.title()).append(" |");
    }
    text.append("\n|---|---|").append("---|".repeat(COLUMNS)).append('\n');
    for (Animal animal : animals) {
      List<Visit> some =
          visits.stream()
              .filter(visit -> visit.animal().name().equals(animal.name()))
              .sorted((a, b) -> Integer.compare(a.major(), b.major()))
              .toList();
      if (some.isEmpty()) {
        text.append(kept.getOrDefault(animal.name(), ""));
        continue;
      }
      text.append("| ").append(animal.name()).append(": ").append(animal.description());
      text.append(" | ").append(majors(some)).append(" |");
      for (Comparison comparison : Comparison.values()) {
        text.append(' ').append(cell(some, comparison)).append(" |");
      }
      text.append('\n');
    }
    return text.toString();
  }

  private static String majors(List<Visit> visits) {
    return String.join(" ", visits.stream().map(visit -> Integer.toString(visit.major())).toList());
  }

  private static String cell(List<Visit> visits, Comparison comparison) {
    List<Visit> compared = visits.stream().filter(visit -> visit.compared(comparison)).toList();
    List<Visit> differing =
        compared.stream().filter(visit -> !visit.complaints(comparison).isEmpty()).toList();
    if (!differing.isEmpty()) {
      return majors(differing);
    }
    return compared.isEmpty() ? NOT_COMPARED : EQUAL;
  }

  /**
   * Puts the table where an earlier one was, or behind everything else. What the earlier one says
   * of animals that were not visited stays, unless it has other columns.
   */
  static void write(Path document, List<Visit> visits) throws IOException {
    String text = Files.readString(document);
    int at = text.indexOf("\n" + HEADING);
    String before = at < 0 ? text : text.substring(0, at);
    Map<String, String> kept = new HashMap<>();
    Pattern line = Pattern.compile("\\| ([a-z0-9-]+): [^|]*\\|[^|]*\\|(.*)");
    text.substring(before.length())
        .lines()
        .map(line::matcher)
        .filter(Matcher::matches)
        .filter(row -> row.group(2).chars().filter(c -> c == '|').count() == COLUMNS)
        .forEach(row -> kept.put(row.group(1), row.group() + "\n"));
    Files.writeString(document, before + "\n" + render(Zoo.animals(), visits, kept));
  }
}
