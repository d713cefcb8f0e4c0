package dev.varve.bench;

import dev.varve.engine.ingest.BaseBackupImport;
import dev.varve.engine.postgres.ClusterIdentity;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.timeline.Timeline;
import dev.varve.testkit.PostgresServer;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.stream.Stream;

/** Feeds a timeline out of a primary's files, without network or copies. */
final class DirectFeed {
  private static final int CHUNK = 128 << 10;

  private final PostgresServer primary;
  private final Timeline timeline;

  DirectFeed(PostgresServer primary, Timeline timeline) {
    this.primary = primary;
    this.timeline = timeline;
  }

  /** A base backup by the low-level API, and the WAL up to its end. */
  void importBackup() throws SQLException, IOException {
    long before = Lsn.parse(primary.currentLsn());
    ClusterIdentity identity =
        new ClusterIdentity(
            Long.parseUnsignedLong(
                primary.query("postgres", "select system_identifier from pg_control_system()")),
            PostgresMajor.of(primary.major()),
            WalSegments.SEGMENT_BYTES);
    try (Connection connection = primary.connect("postgres");
        Statement statement = connection.createStatement();
        BaseBackupImport backup = timeline.beginImport(identity, before)) {
      statement.execute("select pg_backup_start('bench', true)");
      files(backup);
      try (ResultSet stop = statement.executeQuery("select labelfile from pg_backup_stop(false)")) {
        stop.next();
        byte[] label = stop.getString(1).getBytes(StandardCharsets.UTF_8);
        backup.file("backup_label", label.length, new ByteArrayInputStream(label));
      }
      backup.finish();
    }
    catchUp();
  }

  private void files(BaseBackupImport backup) throws IOException {
    Path data = primary.dataDirectory();
    try (Stream<Path> files = Files.walk(data)) {
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        String name = data.relativize(file).toString();
        if (name.startsWith("pg_wal/") || name.startsWith("postmaster.")) {
          continue;
        }
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
          backup.file(name, Files.size(file), in);
        }
      }
    }
  }

  /** All WAL that the primary has flushed. */
  void catchUp() throws SQLException {
    long end = Lsn.parse(primary.currentLsn());
    while (Long.compareUnsigned(timeline.resumeLsn(), end) < 0) {
      long lsn = timeline.resumeLsn();
      byte[] bytes = WalSegments.read(primary.dataDirectory(), lsn, Math.min(lsn + CHUNK, end));
      timeline.receive(lsn, bytes, 0, bytes.length);
    }
  }
}
