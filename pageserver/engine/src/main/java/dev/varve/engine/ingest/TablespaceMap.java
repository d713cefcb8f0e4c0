package dev.varve.engine.ingest;

import dev.varve.engine.PageserverException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * {@code tablespace_map} of a base backup: a line {@code OID LOCATION} for each tablespace that is
 * not in place; a backslash stands before a line end or a backslash that belongs to the location.
 * Follows {@code do_pg_backup_start} in PostgreSQL 17 src/backend/access/transam/xlog.c and {@code
 * read_tablespace_map} in xlogrecovery.c.
 */
final class TablespaceMap {
  private TablespaceMap() {}

  /**
   * OID → location, in the order of the file.
   *
   * @throws PageserverException.Corrupt for a line that is none
   */
  static SequencedMap<Integer, String> parse(String text) {
    SequencedMap<Integer, String> locations = new LinkedHashMap<>();
    StringBuilder line = new StringBuilder();
    boolean escaped = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!escaped && c == '\\') {
        escaped = true;
      } else if (!escaped && (c == '\n' || c == '\r')) {
        put(locations, line.toString());
        line.setLength(0);
      } else {
        line.append(c);
        escaped = false;
      }
    }
    if (escaped) {
      throw malformed(line.toString());
    }
    put(locations, line.toString());
    return locations;
  }

  private static void put(SequencedMap<Integer, String> locations, String line) {
    if (line.isEmpty()) {
      return;
    }
    int space = line.indexOf(' ');
    try {
      locations.put(
          Integer.parseUnsignedInt(line.substring(0, Math.max(0, space))),
          line.substring(space + 1));
    } catch (NumberFormatException e) {
      throw malformed(line);
    }
  }

  private static PageserverException.Corrupt malformed(String line) {
    return new PageserverException.Corrupt(
        "the backup's tablespace_map holds the line '" + line + "', which names no tablespace");
  }
}
