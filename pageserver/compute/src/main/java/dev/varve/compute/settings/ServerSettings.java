package dev.varve.compute.settings;

import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.image.ImageLayout;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The configuration files of a compute. Later ones win: what the machine and the mount need, what
 * belongs to the data and comes from the original, what the user wants, what the data directory
 * needs, and what a copy may not do.
 *
 * <p>Local files never outlive an operating system crash, so {@code fsync} and {@code
 * full_page_writes} are off.
 */
public final class ServerSettings {
  private static final Logger LOG = Logger.getLogger(ServerSettings.class.getName());

  /** {@code sun_path} with its end: PostgreSQL 17 src/include/libpq/pqcomm.h. */
  private static final int UNIX_SOCKET_PATH_BYTES = 108;

  private static final String HEADING = "# Written by the Varve agent at every start.\n";

  /** What is true on this mount only, and wrong for a server that is made of a backup of it. */
  private static final Set<String> OF_MOUNT =
      Set.of(
          "unix_socket_directories",
          "fsync",
          "full_page_writes",
          "checkpoint_flush_after",
          "bgwriter_flush_after",
          "backend_flush_after",
          "wal_writer_flush_after",
          "hot_standby");

  /**
   * Where that is written: base backups leave out names that begin with {@code PG_TEMP_FILE_PREFIX}
   * (PostgreSQL 17 {@code sendDir} in src/backend/backup/basebackup.c), and no start removes them
   * from here ({@code RemovePgTempFiles} in src/backend/storage/file/fd.c).
   */
  private static final String OF_MOUNT_FILE = "pgsql_tmp.mount.conf";

  /**
   * In Unicode's private use area: from here on are the bytes of an original's value that is not
   * UTF-8, as the pageserver sends them (pageserver.proto, {@code Setting}).
   */
  private static final char RAW = 0xF700;

  private ServerSettings() {}

  /** The settings of a data directory that was laid out, in the order in which they are written. */
  static Map<String, String> of(Path data, ThinImageHeader header, ServerOptions options)
      throws IOException {
    Map<String, String> all = new LinkedHashMap<>();
    machine(all, options);
    all.putAll(OriginalSettings.of(data, header, options));
    options.own().forEach((name, value) -> all.put(name.toLowerCase(Locale.ROOT), value));
    int major = header.getPostgresMajor();
    DataLimits.apply(data, major, all, note -> LOG.info(note));
    CopyIsolation.hold(all, options.allowed(), major);
    return all;
  }

  private static void machine(Map<String, String> all, ServerOptions options) {
    all.put("listen_addresses", "127.0.0.1");
    all.put("port", Integer.toString(options.port()));
    String socket = options.sockets() + "/.s.PGSQL." + options.port();
    if (socket.getBytes(StandardCharsets.UTF_8).length < UNIX_SOCKET_PATH_BYTES) {
      all.put("unix_socket_directories", options.sockets().toString());
    } else {
      LOG.log(Level.INFO, "no Unix socket: the path {0} is too long for one", socket);
      all.put("unix_socket_directories", "");
    }
    all.put("fsync", "off");
    all.put("full_page_writes", "off");
    all.put("checkpoint_flush_after", "0");
    all.put("bgwriter_flush_after", "0");
    all.put("backend_flush_after", "0");
    all.put("wal_writer_flush_after", "0");
    all.put("hot_standby", "off");
  }

  /**
   * Writes {@code postgresql.conf} with what it includes, and, where absent, {@code pg_hba.conf},
   * {@code pg_ident.conf} and {@code postgresql.auto.conf}. Called at every start.
   */
  public static void write(
      ImageLayout layout, Path data, ThinImageHeader header, ServerOptions options)
      throws IOException {
    StringBuilder text = new StringBuilder(HEADING + line("include_if_exists", OF_MOUNT_FILE));
    StringBuilder ofMount = new StringBuilder(HEADING);
    Map<String, String> settings = of(data, header, options);
    settings.forEach(
        (name, value) -> (OF_MOUNT.contains(name) ? ofMount : text).append(line(name, value)));
    layout.file(data.resolve("postgresql.conf"), text.toString());
    layout.file(data.resolve(OF_MOUNT_FILE), ofMount.toString());
    boolean userNamespace = settings.getOrDefault("db_user_namespace", "off").equals("on");
    writeIfAbsent(layout, data.resolve("postgresql.auto.conf"), "");
    writeIfAbsent(
        layout,
        data.resolve("pg_hba.conf"),
        ClientAuthentication.lines(options.hba(), userNamespace));
    writeIfAbsent(layout, data.resolve("pg_ident.conf"), "");
  }

  private static void writeIfAbsent(ImageLayout layout, Path file, String text) throws IOException {
    if (!Files.exists(file)) {
      layout.file(file, text);
    }
  }

  /** As PostgreSQL 17 {@code GUC_scanstr} in src/backend/utils/misc/guc-file.l reads it. */
  static String line(String name, String value) {
    StringBuilder line = new StringBuilder(name).append(" = '");
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '\\' -> line.append("\\\\");
        case '\'' -> line.append("''");
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        default -> {
          if (c > RAW + 0x7F && c <= RAW + 0xFF) {
            line.append('\\').append(Integer.toOctalString(c - RAW));
          } else {
            line.append(c);
          }
        }
      }
    }
    return line.append("'\n").toString();
  }
}
