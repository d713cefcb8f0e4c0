package dev.varve.engine.timeline;

import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A real primary as the source of a timeline, without the network: a base backup by the low-level
 * API, file by file, and WAL from the files in {@code pg_wal}.
 */
public final class PrimaryFeed {
  private final PostgresServer primary;

  public PrimaryFeed(PostgresServer primary) {
    this.primary = primary;
  }

  public ClusterIdentity identity() throws SQLException {
    return new ClusterIdentity(
        Long.parseUnsignedLong(
            primary.query("postgres", "select system_identifier from pg_control_system()")),
        PostgresMajor.of(primary.major()),
        Integer.parseInt(
            primary.query(
                "postgres",
                "select setting::int from pg_settings where name = 'wal_segment_size'")));
  }

  /** Something to do while the backup is being copied. */
  public interface Meanwhile {
    void run() throws Exception;
  }

  /** Imports a base backup; a copy of the same files goes to {@code copy}, for a standby. */
  public void importBackup(Timeline timeline, Path copy, Meanwhile meanwhile) throws Exception {
    importBackup(List.of(timeline), copy, meanwhile);
  }

  /** The same backup into several timelines. */
  public void importBackup(List<Timeline> timelines, Path copy, Meanwhile meanwhile)
      throws Exception {
    List<BaseBackupImport> backups = new ArrayList<>();
    try (Connection connection = primary.connect("postgres");
        Statement statement = connection.createStatement()) {
      long before = Lsn.parse(primary.query("postgres", "select pg_current_wal_lsn()"));
      statement.execute("select pg_backup_start('varve', true)");
      for (Timeline timeline : timelines) {
        backups.add(timeline.beginImport(identity(), before));
      }
      copyFiles(backups, primary.dataDirectory(), copy);
      meanwhile.run();
      // The control file last, as PostgreSQL's own base backup does.
      file(backups, primary.dataDirectory(), "global/pg_control", copy);
      String label;
      String map;
      try (ResultSet stop =
          statement.executeQuery("select labelfile, spcmapfile from pg_backup_stop(false)")) {
        stop.next();
        label = stop.getString(1);
        map = stop.getString(2);
      }
      text(backups, "backup_label", label, copy);
      if (map != null && !map.isEmpty()) {
        text(backups, "tablespace_map", map, copy);
      }
      for (BaseBackupImport backup : backups) {
        backup.finish();
      }
    } finally {
      for (BaseBackupImport backup : backups) {
        backup.close();
      }
    }
  }

  private static void text(List<BaseBackupImport> backups, String name, String text, Path copy)
      throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    for (BaseBackupImport backup : backups) {
      backup.file(name, bytes.length, new ByteArrayInputStream(bytes));
    }
    Files.write(copy.resolve(name), bytes);
    PostgresServer.own(copy.resolve(name));
  }

  private static void copyFiles(List<BaseBackupImport> backups, Path from, Path copy)
      throws IOException {
    try (Stream<Path> files = Files.walk(from, FileVisitOption.FOLLOW_LINKS)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        String name = from.relativize(file).toString();
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy.resolve(name));
          PostgresServer.own(copy.resolve(name));
          backups.forEach(backup -> backup.directory(name));
        } else if ((!name.startsWith("pg_wal/") || name.endsWith(".history"))
            && !name.equals("postmaster.pid")
            && !name.equals("postmaster.opts")
            && !name.equals("global/pg_control")
            && !name.contains("pgsql_tmp")
            && !name.endsWith("pg_internal.init")) {
          file(backups, from, name, copy);
        }
      }
    }
  }

  private static void file(List<BaseBackupImport> backups, Path from, String name, Path copy)
      throws IOException {
    try (InputStream in = Files.newInputStream(from.resolve(name))) {
      Files.copy(in, copy.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    } catch (NoSuchFileException e) {
      return;
    }
    PostgresServer.own(copy.resolve(name));
    for (BaseBackupImport backup : backups) {
      try (InputStream in = new BufferedInputStream(Files.newInputStream(copy.resolve(name)))) {
        backup.file(name, Files.size(copy.resolve(name)), in);
      }
    }
  }

  /** Feeds all WAL that the primary has flushed. */
  public void catchUp(Timeline timeline) throws Exception {
    long end = Lsn.parse(primary.currentLsn());
    int tli =
        Integer.parseInt(
            primary.query("postgres", "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"),
            16);
    int segment = timeline.identity().walSegmentBytes();
    byte[] chunk = new byte[128 << 10];
    while (Long.compareUnsigned(timeline.resumeLsn(), end) < 0) {
      long lsn = timeline.resumeLsn();
      long perId = 0x1_0000_0000L / segment;
      long number = lsn / segment;
      Path file =
          primary
              .dataDirectory()
              .resolve("pg_wal")
              .resolve("%08X%08X%08X".formatted(tli, number / perId, number % perId));
      int offset = (int) (lsn % segment);
      int length = (int) Math.min(Math.min(chunk.length, segment - offset), end - lsn);
      try (java.nio.channels.FileChannel channel = java.nio.channels.FileChannel.open(file)) {
        java.nio.ByteBuffer buffer = java.nio.ByteBuffer.wrap(chunk, 0, length);
        while (buffer.hasRemaining()
            && channel.read(buffer, (long) offset + buffer.position()) >= 0) {}
      }
      timeline.receive(lsn, chunk, 0, length);
    }
  }
}
