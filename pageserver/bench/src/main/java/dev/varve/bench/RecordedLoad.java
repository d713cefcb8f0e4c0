package dev.varve.bench;

import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.stream.Stream;

/**
 * A base backup of a pgbench database and the WAL that a {@link Workload} made after it, with
 * full-page writes off unless they are asked for.
 *
 * @param backup the data directory's files, {@code backup_label} included
 * @param startLsn where the backup started
 * @param wal everything from the start of its segment on
 */
record RecordedLoad(ClusterIdentity identity, Path backup, long startLsn, byte[] wal) {
  private static final int CLIENTS = 2;

  /** Some directories are made by PostgreSQL only when it starts from nothing. */
  private static final List<String> NOT_COPIED =
      List.of("postmaster.pid", "postmaster.opts", "global/pg_control");

  /** Address of the first byte of {@link #wal}. */
  long segmentLsn() {
    return startLsn & -WalSegments.SEGMENT_BYTES;
  }

  /** A decoder at {@link #startLsn}. */
  WalDecoder decoder() {
    WalDecoder decoder =
        new WalDecoder(identity.major(), identity.walSegmentBytes(), identity.systemIdentifier());
    decoder.startAt(startLsn, WalDecoder.UNKNOWN_PREV);
    return decoder;
  }

  /**
   * Makes the database, the backup and the WAL.
   *
   * @param scale pgbench's
   * @param walBytes how much WAL at least
   * @param fullPages whether each page's first change after the backup is logged with the page
   */
  static RecordedLoad record(
      Workload workload, int scale, long walBytes, boolean fullPages, Path backup)
      throws Exception {
    try (PostgresServer primary =
        PostgresServer.builder(17)
            .setting("full_page_writes", fullPages ? "on" : "off")
            .setting("shared_buffers", "512MB")
            .setting("wal_keep_size", "64GB")
            .setting("max_wal_size", "64GB")
            .setting("checkpoint_timeout", "1d")
            .setting("synchronous_commit", "off")
            .start()) {
      new TpcB(primary, scale).initialize();
      workload.prepare(primary);
      primary.execute("postgres", "checkpoint", "select pg_switch_wal()");
      long startLsn = copyBackup(primary, backup);
      run(workload, primary, scale, startLsn + walBytes);
      primary.execute("postgres", "select txid_current()", "select pg_switch_wal()");
      long endLsn = Lsn.parse(primary.currentLsn());
      ClusterIdentity identity =
          new ClusterIdentity(
              Long.parseUnsignedLong(
                  primary.query("postgres", "select system_identifier from pg_control_system()")),
              PostgresMajor.V17,
              WalSegments.SEGMENT_BYTES);
      byte[] wal =
          WalSegments.read(primary.dataDirectory(), startLsn & -WalSegments.SEGMENT_BYTES, endLsn);
      return new RecordedLoad(identity, backup, startLsn, wal);
    }
  }

  /** Runs the workload's batches until WAL reaches {@code untilLsn}. */
  private static void run(Workload workload, PostgresServer primary, int scale, long untilLsn)
      throws Exception {
    Thread[] clients = new Thread[CLIENTS];
    Exception[] failures = new Exception[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
      int client = i;
      clients[i] =
          Thread.ofPlatform()
              .start(() -> {
                try (Connection connection = primary.connect("postgres")) {
                  while (Lsn.parse(primary.currentLsn()) < untilLsn) {
                    workload.batch(connection, scale);
                  }
                } catch (SQLException | IOException e) {
                  failures[client] = e;
                }
              });
    }
    for (Thread client : clients) {
      client.join();
    }
    for (Exception failure : failures) {
      if (failure != null) {
        throw failure;
      }
    }
  }

  /** A base backup by the low-level API; returns where it started. */
  private static long copyBackup(PostgresServer primary, Path backup) throws Exception {
    try (Connection connection = primary.connect("postgres");
        Statement statement = connection.createStatement()) {
      long start;
      try (ResultSet rows = statement.executeQuery("select pg_backup_start('bench', true)")) {
        rows.next();
        start = Lsn.parse(rows.getString(1));
      }
      copy(primary.dataDirectory(), backup);
      copyFile(primary.dataDirectory(), "global/pg_control", backup);
      try (ResultSet stop = statement.executeQuery("select labelfile from pg_backup_stop(false)")) {
        stop.next();
        Files.writeString(backup.resolve("backup_label"), stop.getString(1));
      }
      PostgresServer.own(backup.resolve("backup_label"));
      return start;
    }
  }

  /** Copies a data directory's files but its WAL, owned by who runs PostgreSQL. */
  static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        String name = from.relativize(file).toString();
        if (name.startsWith("pg_wal/") || NOT_COPIED.contains(name)) {
          continue;
        }
        if (Files.isDirectory(file)) {
          Files.createDirectories(to.resolve(name));
          PostgresServer.own(to.resolve(name));
        } else {
          copyFile(from, name, to);
        }
      }
    }
    Files.setPosixFilePermissions(to, PosixFilePermissions.fromString("rwx------"));
  }

  static void copyFile(Path from, String name, Path to) throws IOException {
    Files.copy(from.resolve(name), to.resolve(name));
    PostgresServer.own(to.resolve(name));
  }
}
