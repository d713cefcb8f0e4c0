package dev.varve.bench;

import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What stock PostgreSQL needs to replay recorded WAL onto its base backup, by its own account: the
 * startup process logs its CPU time and the time that passed when redo is done. It has no client,
 * no hot standby, no archive to ask and a buffer cache for the whole database.
 */
final class StockReplay {
  private static final Pattern DONE =
      Pattern.compile(
          "redo done at .* user: ([0-9.]+) s, system: ([0-9.]+) s, elapsed: ([0-9.]+) s");

  private StockReplay() {}

  /** The startup process is one thread: all of its CPU time. */
  static Cost run(RecordedLoad load) throws IOException {
    Path home = PostgresServer.temporaryDirectory();
    Path data = home.resolve("data");
    try {
      RecordedLoad.copy(load.backup(), data);
      RecordedLoad.copyFile(load.backup(), "global/pg_control", data);
      writeWal(load, data);
      try (PostgresServer server =
          PostgresServer.builder(17)
              .setting("shared_buffers", "1GB")
              .setting("max_wal_size", "64GB")
              .setting("log_min_messages", "log")
              .on(data)) {
        server.start();
        Matcher matcher = DONE.matcher(server.log());
        if (!matcher.find()) {
          throw new IllegalStateException("PostgreSQL did not tell how redo went: " + server.log());
        }
        double cpu = Double.parseDouble(matcher.group(1)) + Double.parseDouble(matcher.group(2));
        return new Cost(Double.parseDouble(matcher.group(3)), cpu, cpu);
      }
    } finally {
      PostgresServer.deleteTree(home);
    }
  }

  private static void writeWal(RecordedLoad load, Path data) throws IOException {
    Path directory = data.resolve("pg_wal");
    Files.createDirectories(directory);
    PostgresServer.own(directory);
    for (int at = 0; at < load.wal().length; at += WalSegments.SEGMENT_BYTES) {
      byte[] segment = new byte[WalSegments.SEGMENT_BYTES];
      System.arraycopy(
          load.wal(), at, segment, 0, Math.min(segment.length, load.wal().length - at));
      Path file = WalSegments.file(data, load.segmentLsn() + at);
      Files.write(file, segment);
      PostgresServer.own(file);
    }
  }
}
