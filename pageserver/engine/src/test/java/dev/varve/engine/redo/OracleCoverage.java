package dev.varve.engine.redo;

import dev.varve.engine.postgres.PostgresMajor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the oracle tests reached, kept in files of the build directory, one for each major and set
 * of resource managers, for {@link FidelityIT} to hold against what {@code docs/fidelity.md}
 * claims. A later run of the same test overwrites the file of an earlier one; runs of one JVM add
 * up.
 *
 * <pre>
 * file := line*
 * line := (COMPARED | RESTORED) SP manager/info/block SP pages LF     manager and info as pg_waldump has them
 *       | READ SP manager/info[&flag] SP records LF
 * </pre>
 */
final class OracleCoverage {
  /** Counts by {@code COMPARED Heap/0x10/0}. */
  private static final Map<Path, Map<String, Long>> FILES = new TreeMap<>();

  private static final Path DIRECTORY = Path.of("target", "oracle-coverage");
  private static final String SUFFIX = ".txt";

  private OracleCoverage() {}

  /** Adds what a run reached. */
  static synchronized void record(
      PostgresMajor major, Set<Integer> rmids, WalConsistencyHarness.Report report)
      throws IOException {
    String managers =
        new TreeSet<>(rmids)
            .stream()
                .map(ResourceManagers::name)
                .collect(Collectors.joining("-"))
                .replace(' ', '-');
    Path file = DIRECTORY.resolve(major.number() + "-" + managers + SUFFIX);
    Map<String, Long> counts = FILES.computeIfAbsent(file, key -> new TreeMap<>());
    add(counts, "COMPARED", report.checked());
    add(counts, "RESTORED", report.restored());
    add(counts, "READ", report.records());
    List<String> lines = new ArrayList<>();
    counts.forEach((key, count) -> lines.add(key + " " + count));
    Files.createDirectories(DIRECTORY);
    Files.write(file, lines);
  }

  private static void add(Map<String, Long> counts, String kind, Map<String, Integer> more) {
    more.forEach((key, count) -> counts.merge(kind + " " + key, (long) count, Long::sum));
  }

  /** The resource managers whose oracle test ran; XLOG's comes with that of heap. */
  static Set<String> managers(PostgresMajor major) throws IOException {
    Set<String> managers = new TreeSet<>();
    for (Path file : files(major)) {
      String name = file.getFileName().toString();
      String[] parts = name.substring(0, name.length() - SUFFIX.length()).split("-");
      managers.addAll(List.of(parts).subList(1, parts.length));
    }
    if (managers.contains("Heap")) {
      managers.add("XLOG");
    }
    return managers;
  }

  /** What all tests reached on this major, by {@code COMPARED Heap/0x10/0}; empty when none ran. */
  static Map<String, Long> of(PostgresMajor major) throws IOException {
    Map<String, Long> counts = new TreeMap<>();
    for (Path file : files(major)) {
      for (String line : Files.readAllLines(file)) {
        int space = line.lastIndexOf(' ');
        counts.merge(line.substring(0, space), Long.valueOf(line.substring(space + 1)), Long::sum);
      }
    }
    return counts;
  }

  private static List<Path> files(PostgresMajor major) throws IOException {
    if (!Files.exists(DIRECTORY)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(DIRECTORY)) {
      return files
          .filter(file -> file.getFileName().toString().startsWith(major.number() + "-"))
          .sorted()
          .toList();
    }
  }
}
