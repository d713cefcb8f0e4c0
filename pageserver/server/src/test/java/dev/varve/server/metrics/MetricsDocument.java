package dev.varve.server.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** The table of docs/operations/metrics.md. */
public final class MetricsDocument {
  private static final Path DOCUMENT = Path.of("../../docs/operations/metrics.md");

  private static final Pattern ROW =
      Pattern.compile("\\| `varve_\\w+` \\| (gauge|counter|timer) .*");

  private MetricsDocument() {}

  /** The lines of the table by the name of the metric. */
  public static Map<String, String> read() throws IOException {
    Map<String, String> lines = new TreeMap<>();
    for (String line : Files.readAllLines(DOCUMENT)) {
      if (ROW.matcher(line).matches()) {
        String previous = lines.put(line.split("`", -1)[1], line);
        if (previous != null) {
          throw new IOException("twice in the document: " + line);
        }
      }
    }
    return lines;
  }

  /** The line that the code wants. */
  static String line(MetricName name) {
    List<String> labels = name.labels().stream().map(label -> "`" + label + "`").toList();
    return "| `%s` | %s | %s | %s |"
        .formatted(
            name.exportedName(),
            name.kind().name().toLowerCase(Locale.ROOT),
            String.join(", ", labels),
            name.description());
  }
}
