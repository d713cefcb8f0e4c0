package dev.varve.engine.postgres;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Files {@code pg_wal/TLI.history}: which TLIs a TLI descends from, and where each ended. Whoever
 * streams WAL of a TLI above 1 asks for its file first. A promotion copies the parent's file,
 * appends an empty line if there was one, and a line for the parent itself; so that each ancestor's
 * file is the beginning of its descendant's. Follows PostgreSQL 17 {@code writeTimeLineHistory} and
 * {@code readTimeLineHistory} in {@code src/backend/access/transam/timeline.c}.
 */
public final class TimelineHistory {
  /** The start of a line that names an ancestor; others are empty or comments. */
  private static final Pattern ANCESTOR =
      Pattern.compile("^[ \\t]*([0-9]{1,10})[ \\t]+[0-9A-Fa-f]+/[0-9A-Fa-f]+", Pattern.MULTILINE);

  private TimelineHistory() {}

  /** The file's name below {@code pg_wal} ({@code TLHistoryFileName}). */
  public static String fileName(int tli) {
    return "%08X.history".formatted(tli);
  }

  /** TLI → contents of the history files of those ancestors that have one. */
  public static SortedMap<Integer, byte[]> ancestors(byte[] file) {
    SortedMap<Integer, byte[]> found = new TreeMap<>(Integer::compareUnsigned);
    // One char is one byte, so that offsets are the file's.
    String text = new String(file, StandardCharsets.ISO_8859_1);
    Matcher line = ANCESTOR.matcher(text);
    boolean oldest = true;
    while (line.find()) {
      if (!oldest) {
        int end = text.startsWith("\n\n", line.start() - 2) ? line.start() - 1 : line.start();
        found.put(Integer.parseUnsignedInt(line.group(1)), Arrays.copyOf(file, end));
      }
      oldest = false;
    }
    return found;
  }
}
