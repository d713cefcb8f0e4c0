package dev.varve.engine.image;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.timeline.ClusterIdentity;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Sets the counters of a cluster that was shut down and begins its WAL anew, as {@code pg_resetwal}
 * does; PostgreSQL's binaries for tests have none.
 */
public final class WalReset {
  private WalReset() {}

  /**
   * @param counters changes the 88 bytes of the checkpoint
   */
  public static void run(PostgresServer server, Consumer<byte[]> counters) throws IOException {
    Path data = server.dataDirectory();
    PostgresMajor major = PostgresMajor.of(server.major());
    byte[] file = Files.readAllBytes(data.resolve("global/pg_control"));
    ControlFile.check(file, major);
    byte[] kept = Arrays.copyOf(file, ControlFile.keptBytes(major));
    ClusterIdentity identity =
        new ClusterIdentity(
            LittleEndian.i64(kept, ControlFile.SYSTEM_IDENTIFIER),
            major,
            LittleEndian.i32(kept, ControlFile.WAL_SEGMENT_SIZE));
    int at = ControlFile.CHECK_POINT_COPY;
    byte[] checkPoint = Arrays.copyOfRange(kept, at, at + CheckPoint.SIZE);
    int segment = identity.walSegmentBytes();
    long previous = LittleEndian.i64(kept, ControlFile.CHECK_POINT);
    long lsn = (previous / segment + 2) * segment;
    long recordLsn = CheckpointSegment.recordLsn(lsn, segment);
    LittleEndian.putI64(checkPoint, CheckPoint.REDO, recordLsn);
    counters.accept(checkPoint);
    try (DirectoryStream<Path> old =
        Files.newDirectoryStream(data.resolve("pg_wal"), Files::isRegularFile)) {
      for (Path wal : old) {
        Files.delete(wal);
      }
    }
    int tli = LittleEndian.i32(checkPoint, CheckPoint.THIS_TLI);
    for (CheckpointSegment.Segment made :
        CheckpointSegment.generate(identity, tli, lsn, previous, checkPoint)) {
      Path wal = data.resolve("pg_wal").resolve(made.name());
      try (RandomAccessFile out = new RandomAccessFile(wal.toFile(), "rw")) {
        out.setLength(segment);
        for (Map.Entry<Integer, byte[]> page : made.pages().entrySet()) {
          out.seek(page.getKey());
          out.write(page.getValue());
        }
      }
      PostgresServer.own(wal);
    }
    Files.write(
        data.resolve("global/pg_control"),
        ControlFile.shutDown(kept, major, recordLsn, checkPoint));
  }
}
