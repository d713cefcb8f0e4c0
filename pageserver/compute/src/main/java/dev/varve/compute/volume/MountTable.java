package dev.varve.compute.volume;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The mounts that this process sees, in the order in which they were made. */
final class MountTable {
  private static final Path TABLE = Path.of("/proc/self/mountinfo");
  private static final int MOUNT_POINT = 4;

  private MountTable() {}

  /** The agent's kind of mounts at or below a directory. */
  static List<Path> below(Path directory) throws IOException {
    return below(directory, " - fuse.varve ");
  }

  /** Mounts of every kind at or below a directory. */
  static List<Path> allBelow(Path directory) throws IOException {
    return below(directory, " - ");
  }

  /** See proc(5) for the format. */
  private static List<Path> below(Path directory, String kind) throws IOException {
    List<Path> found = new ArrayList<>();
    for (String line : Files.readAllLines(TABLE)) {
      String[] field = line.split(" ", -1);
      if (field.length > MOUNT_POINT && line.contains(kind)) {
        Path point = Path.of(plain(field[MOUNT_POINT]));
        if (point.startsWith(directory)) {
          found.add(point);
        }
      }
    }
    return found;
  }

  /** Space, tab, newline and backslash stand as a backslash and three octal digits. */
  private static String plain(String text) {
    StringBuilder plain = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\' && i + 3 < text.length()) {
        plain.append((char) Integer.parseInt(text.substring(i + 1, i + 4), 8));
        i += 3;
      } else {
        plain.append(text.charAt(i));
      }
    }
    return plain.toString();
  }
}
