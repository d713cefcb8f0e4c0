package dev.varve.testkit;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * A base backup of a server of 15 or later, taken by {@code BASE_BACKUP} of the replication
 * protocol into tar files on the server's own machine ({@code TARGET 'server'}, PostgreSQL 17
 * doc/src/sgml/protocol.sgml), and laid out as a data directory beside them. Tablespaces land in
 * directories beside it.
 *
 * <p>It has no WAL, as that of {@code pg_basebackup -X stream} before the second connection brought
 * it; the history file of the server's TLI is asked for as {@code -X stream} does.
 */
public final class ServerBackup {
  private static final Pattern MAP_LINE = Pattern.compile("([0-9]+) (.*)");

  private ServerBackup() {}

  /**
   * Takes one.
   *
   * @param home an empty directory that belongs to PostgreSQL's user
   * @return the data directory, in {@code home}
   */
  public static Path take(PostgresServer server, Path home) throws IOException {
    Path tars = home.resolve("tar");
    try (PlainClient client = PlainClient.replication(server)) {
      int tli = Integer.parseInt(client.rows("IDENTIFY_SYSTEM").getFirst().get(1));
      if (tli > 1 && client.rows("TIMELINE_HISTORY " + tli).getFirst().getLast().isEmpty()) {
        throw new IOException("the history of TLI " + tli + " is empty");
      }
      var _ =
          client.rows(
              "BASE_BACKUP ( LABEL 'testkit', CHECKPOINT 'fast', WAIT false, TABLESPACE_MAP true,"
                  + " TARGET 'server', TARGET_DETAIL '"
                  + tars
                  + "' )");
    }
    Path data = home.resolve("data");
    unpack(tars.resolve("base.tar"), data);
    Files.createDirectories(data.resolve("pg_wal"));
    PostgresServer.own(data.resolve("pg_wal"));
    Path map = data.resolve("tablespace_map");
    if (Files.exists(map)) {
      moveTablespaces(home, tars, data, map);
    }
    PostgresServer.deleteTree(tars);
    return data;
  }

  private static void moveTablespaces(Path home, Path tars, Path data, Path map)
      throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line : Files.readAllLines(map)) {
      var entry = MAP_LINE.matcher(line);
      if (!entry.matches()) {
        throw new IOException("a line of tablespace_map: " + line);
      }
      String oid = entry.group(1);
      Path tablespace = home.resolve("tablespace").resolve(oid);
      unpack(tars.resolve(oid + ".tar"), tablespace);
      lines.add(oid + " " + tablespace);
      Path link = data.resolve("pg_tblspc").resolve(oid);
      Files.deleteIfExists(link);
      Files.createSymbolicLink(link, tablespace);
    }
    Files.write(map, lines);
  }

  private static void unpack(Path tar, Path into) throws IOException {
    make(into);
    try (InputStream in = new BufferedInputStream(Files.newInputStream(tar), 1 << 20);
        TarArchiveInputStream entries = new TarArchiveInputStream(in, "UTF-8")) {
      for (TarArchiveEntry entry = entries.getNextEntry();
          entry != null;
          entry = entries.getNextEntry()) {
        Path path = into.resolve(entry.getName()).normalize();
        if (entry.isDirectory()) {
          make(path);
        } else if (entry.isFile()) {
          Files.copy(entries, path);
          Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
          PostgresServer.own(path);
        }
      }
    }
  }

  private static void make(Path directory) throws IOException {
    Files.createDirectories(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    PostgresServer.own(directory);
  }
}
