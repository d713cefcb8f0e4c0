package dev.varve.cli;

import dev.varve.engine.check.CheckProgress;
import dev.varve.engine.check.Finding;
import java.io.PrintWriter;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A line for each finding, and one for all. */
final class TextReport implements FsckReport {
  private final PrintWriter out;
  private final Map<Finding.Kind, Long> counts = new EnumMap<>(Finding.Kind.class);

  TextReport(PrintWriter out) {
    this.out = out;
  }

  @Override
  public void begin(String store, boolean deep) {
    // Nothing is known yet.
  }

  @Override
  public void finding(Finding finding) {
    counts.merge(finding.kind(), 1L, Long::sum);
    out.printf("%-11s %s: %s%n", finding.kind().id(), finding.object(), finding.text());
    out.flush();
  }

  @Override
  public void end(CheckProgress progress, @Nullable String error) {
    String result =
        counts.isEmpty()
            ? "nothing found"
            : counts.entrySet().stream()
                .map(count -> count.getValue() + " " + count.getKey().id())
                .collect(Collectors.joining(", "));
    out.println((error == null ? "" : "not all was checked; ") + result + ": " + text(progress));
    out.flush();
  }

  /** What was gone through, in words. */
  static String text(CheckProgress progress) {
    return String.format(
            Locale.ROOT,
            "%,d objects of %,d bytes, %,d timelines, %,d of %,d layers read, %,d pages redone",
            progress.objects(),
            progress.objectBytes(),
            progress.timelines(),
            progress.layersRead(),
            progress.layers(),
            progress.pages())
        + (progress.recent() == 0
            ? ""
            : String.format(Locale.ROOT, ", %,d recent ones unlisted", progress.recent()));
  }
}
