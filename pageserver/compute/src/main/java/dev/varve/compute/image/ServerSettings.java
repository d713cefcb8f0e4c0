package dev.varve.compute.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The configuration files of a compute: what the mount and the image need, then what the caller
 * wants.
 *
 * <p>Local files never outlive an operating system crash, so {@code fsync} and {@code
 * full_page_writes} are off. Limits that the WAL's readers rely on are taken from the image's
 * control file (PostgreSQL 17 src/include/catalog/pg_control.h; the offsets are the same in 15 to
 * 18).
 */
public final class ServerSettings {
  private static final int WAL_LEVEL = 172;
  private static final int MAX_CONNECTIONS = 180;
  private static final int MAX_WORKER_PROCESSES = 184;
  private static final int MAX_WAL_SENDERS = 188;
  private static final int MAX_PREPARED_TRANSACTIONS = 192;
  private static final int MAX_LOCKS_PER_TRANSACTION = 196;
  private static final int TRACK_COMMIT_TIMESTAMP = 200;

  private ServerSettings() {}

  /**
   * The settings of a data directory that was laid out, in the order in which they are written;
   * later ones win.
   */
  static Map<String, String> of(Path data, Path socketDirectory, int port, Map<String, String> own)
      throws IOException {
    ByteBuffer control =
        ByteBuffer.wrap(Files.readAllBytes(data.resolve("global/pg_control")))
            .order(ByteOrder.LITTLE_ENDIAN);
    Map<String, String> all = new LinkedHashMap<>();
    all.put("listen_addresses", "127.0.0.1");
    all.put("port", Integer.toString(port));
    all.put("unix_socket_directories", socketDirectory.toString());
    all.put("fsync", "off");
    all.put("full_page_writes", "off");
    all.put("checkpoint_flush_after", "0");
    all.put("bgwriter_flush_after", "0");
    all.put("backend_flush_after", "0");
    all.put("wal_writer_flush_after", "0");
    all.put("wal_level", control.getInt(WAL_LEVEL) >= 2 ? "logical" : "replica");
    all.put("max_connections", Integer.toString(Math.max(100, control.getInt(MAX_CONNECTIONS))));
    all.put(
        "max_worker_processes",
        Integer.toString(Math.max(8, control.getInt(MAX_WORKER_PROCESSES))));
    all.put("max_wal_senders", Integer.toString(Math.max(10, control.getInt(MAX_WAL_SENDERS))));
    all.put(
        "max_prepared_transactions", Integer.toString(control.getInt(MAX_PREPARED_TRANSACTIONS)));
    all.put(
        "max_locks_per_transaction",
        Integer.toString(Math.max(64, control.getInt(MAX_LOCKS_PER_TRANSACTION))));
    all.put("track_commit_timestamp", control.get(TRACK_COMMIT_TIMESTAMP) != 0 ? "on" : "off");
    all.put("hot_standby", "off");
    all.putAll(own);
    return all;
  }

  /**
   * Writes {@code postgresql.conf}, and, where absent, {@code pg_hba.conf}, {@code pg_ident.conf}.
   * Called at every start.
   */
  public static void write(
      ImageLayout layout, Path data, Path socketDirectory, int port, Map<String, String> own)
      throws IOException {
    StringBuilder text = new StringBuilder("# Written by the Varve agent at every start.\n");
    of(data, socketDirectory, port, own)
        .forEach((name, value) ->
            text.append(name).append(" = '").append(value.replace("'", "''")).append("'\n"));
    layout.file(data.resolve("postgresql.conf"), text.toString());
    if (!Files.exists(data.resolve("postgresql.auto.conf"))) {
      layout.file(data.resolve("postgresql.auto.conf"), "");
    }
    if (!Files.exists(data.resolve("pg_hba.conf"))) {
      layout.file(
          data.resolve("pg_hba.conf"),
          """
          # Written by the Varve agent at the first start; yours to change.
          local all all trust
          local replication all trust
          host all all 127.0.0.1/32 trust
          host all all ::1/128 trust
          host replication all 127.0.0.1/32 trust
          host all all all scram-sha-256
          """);
    }
    if (!Files.exists(data.resolve("pg_ident.conf"))) {
      layout.file(data.resolve("pg_ident.conf"), "");
    }
  }
}
