package dev.varve.e2e;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the documents tell people to paste into a shell. */
final class Runbook {
  private static final Path DOCUMENTS = Path.of("../docs");

  private Runbook() {}

  /** All lines for a shell below a heading of a document, but those that are marked to skip. */
  static List<String> all(String document, String heading) throws IOException {
    List<String> found = new ArrayList<>();
    boolean below = heading.isEmpty();
    boolean inside = false;
    for (String line : Files.readAllLines(DOCUMENTS.resolve(document))) {
      if (line.startsWith("#") && !inside && !heading.isEmpty()) {
        below = line.replaceFirst("^#+ ", "").equals(heading);
      } else if (line.startsWith("```")) {
        inside = line.equals("```sh");
      } else if (inside && below) {
        found.add(line);
      }
    }
    if (found.isEmpty()) {
      throw new IOException(document + " has no lines for a shell below " + heading);
    }
    return found;
  }

  /** As one text. */
  static String lines(String document, String heading) throws IOException {
    return String.join("\n", all(document, heading));
  }

  /**
   * What a shell makes of lines that are pasted into it: each goes in, whatever became of the one
   * before.
   */
  static Kubectl.Result paste(String lines) {
    return Kubectl.call(List.of("bash", "-c", lines));
  }
}
