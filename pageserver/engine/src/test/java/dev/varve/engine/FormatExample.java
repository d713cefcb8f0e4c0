package dev.varve.engine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * Worked hex examples of the format documents, for the tests that parse them. An example is a
 * fenced block that begins {@code ```hex NAME}; each of its lines has hex bytes and, behind {@code
 * #}, a remark.
 */
public final class FormatExample {
  private FormatExample() {}

  /** The bytes of the example {@code name} of {@code docs/formats/FILE}. */
  public static byte[] read(String file, String name) {
    Path root = Path.of("").toAbsolutePath();
    while (root != null && !Files.isDirectory(root.resolve("docs/formats"))) {
      root = root.getParent();
    }
    if (root == null) {
      throw new AssertionError("docs/formats is not above the working directory");
    }
    StringBuilder hex = new StringBuilder();
    boolean inside = false;
    boolean found = false;
    try {
      for (String line : Files.readAllLines(root.resolve("docs/formats").resolve(file))) {
        if (line.equals("```hex " + name)) {
          inside = true;
          found = true;
        } else if (line.startsWith("```")) {
          inside = false;
        } else if (inside) {
          hex.append(
              (line.contains("#") ? line.substring(0, line.indexOf('#')) : line).replace(" ", ""));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!found) {
      throw new AssertionError(file + " has no example '" + name + "'");
    }
    return HexFormat.of().parseHex(hex);
  }
}
