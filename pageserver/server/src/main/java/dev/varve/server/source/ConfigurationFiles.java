package dev.varve.server.source;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads in passing which settings of extensions the configuration files in a base backup name: a
 * WAL sender lists no setting that no library has defined there, and answers for each by its name.
 * Files that an {@code include} names are read where they are in the data directory, too. Follows
 * PostgreSQL 17 {@code src/backend/utils/misc/guc-file.l}. A name is a hint only, whatever the file
 * says last is the primary's to answer; so a line that cannot be read is passed over. One thread.
 */
public final class ConfigurationFiles implements BackupSink {
  private static final int MAX_FILE_BYTES = 1 << 20;

  /** Of files that are named as configuration is, and of others, which may be logs, likewise. */
  private static final int MAX_BYTES = 8 << 20;

  private static final Pattern LINE =
      Pattern.compile(
          "\\s*([A-Za-z_][\\w$]*(?:\\.[A-Za-z_][\\w$]*)*)\\s*=?\\s*('(?:[^']|'')*'|\\S*)");

  private final BackupSink next;
  private final Map<String, String> files = new TreeMap<>();
  private int namedBytes;
  private int otherBytes;

  /** {@code next} takes all files, these among them. */
  public ConfigurationFiles(BackupSink next) {
    this.next = next;
  }

  @Override
  public void file(String path, long length, InputStream contents) throws IOException {
    boolean named = path.endsWith(".conf");
    int kept = named ? namedBytes : otherBytes;
    if (!mayConfigure(path) || length > Math.min(MAX_FILE_BYTES, MAX_BYTES - kept)) {
      next.file(path, length, contents);
      return;
    }
    byte[] bytes = contents.readNBytes((int) length);
    if (named) {
      namedBytes += bytes.length;
    } else {
      otherBytes += bytes.length;
    }
    files.put(path, new String(bytes, StandardCharsets.UTF_8));
    next.file(path, length, new ByteArrayInputStream(bytes));
  }

  /** Below the directories of PostgreSQL's own there are none. */
  private static boolean mayConfigure(String path) {
    return path.indexOf('/') < 0
        || !(path.startsWith("pg_") || path.startsWith("base/") || path.startsWith("global/"));
  }

  @Override
  public void directory(String path) {
    next.directory(path);
  }

  @Override
  public void link(String path, String target) {
    next.link(path, target);
  }

  /** Names with a dot, in lower case. */
  public Set<String> names() {
    Set<String> names = new TreeSet<>();
    Set<String> read = new HashSet<>();
    read("postgresql.conf", names, read);
    read("postgresql.auto.conf", names, read);
    return names;
  }

  private void read(String path, Set<String> names, Set<String> read) {
    String text = files.get(path);
    if (text == null || !read.add(path)) {
      return;
    }
    for (String line : text.split("\n", -1)) {
      Matcher matcher = LINE.matcher(line);
      if (!matcher.lookingAt()) {
        continue;
      }
      String name = matcher.group(1).toLowerCase(Locale.ROOT);
      switch (name) {
        case "include", "include_if_exists" -> read(resolve(path, value(matcher)), names, read);
        case "include_dir" -> {
          String directory = resolve(path, value(matcher)) + '/';
          for (String file : files.keySet()) {
            if (within(file, directory) && file.endsWith(".conf")) {
              read(file, names, read);
            }
          }
        }
        default -> {
          if (name.indexOf('.') > 0) {
            names.add(name);
          }
        }
      }
    }
  }

  /** Files whose names begin with a dot are left out, and directories of the directory. */
  private static boolean within(String file, String directory) {
    return file.startsWith(directory)
        && file.indexOf('/', directory.length()) < 0
        && file.charAt(directory.length()) != '.';
  }

  private static String value(Matcher matcher) {
    String text = matcher.group(2);
    return text.startsWith("'") && text.length() > 1
        ? text.substring(1, text.length() - 1).replace("''", "'")
        : text;
  }

  /**
   * Where in the data directory a file or directory is that another file names: from that file's
   * directory on, or with the whole path, of which the data directory's part is not known here.
   */
  private String resolve(String from, String named) {
    String path = named.endsWith("/") ? named.substring(0, named.length() - 1) : named;
    if (path.startsWith("/")) {
      for (String file : files.keySet()) {
        String directory = file.substring(0, Math.max(0, file.lastIndexOf('/')));
        if (path.endsWith('/' + file)) {
          return file;
        }
        if (!directory.isEmpty() && path.endsWith('/' + directory)) {
          return directory;
        }
      }
      return path;
    }
    String relative = path.startsWith("./") ? path.substring(2) : path;
    return from.substring(0, from.lastIndexOf('/') + 1) + relative;
  }
}
