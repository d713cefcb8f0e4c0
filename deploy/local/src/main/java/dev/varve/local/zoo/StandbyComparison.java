package dev.varve.local.zoo;

import dev.varve.testkit.ControlFile;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * An image's files beside those that PostgreSQL makes itself: the SLRUs of a stock standby that
 * replayed the same WAL to the same LSN and shut down, and the control file of the primary after a
 * clean shutdown there.
 */
final class StandbyComparison {
  private static final String COMMIT_TS = "pg_commit_ts";

  private static final List<String> SLRUS =
      List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", COMMIT_TS);

  /** Fields of {@code pg_control} that differ by design, and why. */
  private static final Map<String, String> OWN =
      Map.of(
          "time", "of the last write",
          "checkPoint", "the image's own checkpoint, at the LSN that was asked for",
          "redo", "the same",
          "checkPointCopy.time", "the same",
          "nextOid", "WAL has OIDs in blocks that were handed out ahead",
          "unloggedLSN", "counts changes that are not logged, which a copy begins without",
          "fullPageWrites", "off on computes: local files are never the durable copy");

  /** Fields that a primary moves on when it takes ids after the look. */
  private static final Set<String> COUNTERS =
      Set.of("nextXid", "nextMulti", "nextMultiOffset", "oldestXid", "newestCommitTsXid");

  private StandbyComparison() {}

  /** Keeps an image's files as they are before a server starts on them. */
  static void keep(Path data, Path image) throws IOException {
    for (String name : SLRUS) {
      Files.createDirectories(image.resolve(name));
      for (String file : files(data.resolve(name))) {
        Files.copy(data.resolve(name).resolve(file), image.resolve(name).resolve(file));
      }
    }
    Files.createDirectories(image.resolve("global"));
    Files.copy(data.resolve("global/pg_control"), image.resolve("global/pg_control"));
  }

  /** Replays what is in the stopped primary's log up to an LSN, and stops there. */
  static void replay(PostgresServer standby, PostgresServer primary, String lsn)
      throws IOException {
    standby.setting(
        "restore_command", "cp \"" + primary.dataDirectory().resolve("pg_wal") + "/%f\" \"%p\"");
    standby.setting("recovery_target_lsn", lsn);
    standby.setting("recovery_target_inclusive", "off");
    standby.setting("recovery_target_action", "shutdown");
    standby.setting("archive_mode", "off");
    standby.setting("hot_standby", "off");
    Habitat.write(standby.dataDirectory().resolve("recovery.signal"), "");
    standby.runToShutdown();
  }

  static List<String> slrus(int major, Path standby, Path image) throws IOException {
    List<String> differences = new ArrayList<>();
    boolean commitTs =
        ControlFile.of(major, image).get(ControlFile.Field.TRACK_COMMIT_TIMESTAMP) != 0;
    for (String slru : SLRUS) {
      if (slru.equals(COMMIT_TS) && !commitTs) {
        // A standby that learns that it is off removes the files, and then writes buffers into them
        // that it has not let go of (PostgreSQL 17 src/backend/access/transam/commit_ts.c).
        continue;
      }
      Set<String> names = new TreeSet<>(files(standby.resolve(slru)));
      Set<String> ours = files(image.resolve(slru));
      names.addAll(ours);
      for (String name : names) {
        Path theirs = standby.resolve(slru).resolve(name);
        if (!ours.contains(name)) {
          differences.add(slru + "/" + name + " is missing");
        } else if (!Files.exists(theirs)) {
          differences.add(slru + "/" + name + " is there, and not on the standby");
        } else {
          compare(
              slru + "/" + name,
              Files.readAllBytes(theirs),
              Files.readAllBytes(image.resolve(slru).resolve(name)),
              differences);
        }
      }
    }
    return differences;
  }

  private static void compare(
      String name, byte[] expected, byte[] actual, List<String> differences) {
    int at = Arrays.mismatch(expected, actual);
    if (at < 0) {
      return;
    }
    differences.add(
        name
            + " differs from byte "
            + at
            + " of "
            + expected.length
            + (actual.length == expected.length ? "" : "; it has " + actual.length));
  }

  private static Set<String> files(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return Set.of();
    }
    Set<String> names = new TreeSet<>();
    try (Stream<Path> files = Files.list(directory)) {
      files
          .map(file -> String.valueOf(file.getFileName()))
          .filter(name -> name.matches("[0-9A-F]{4,}")) // others are nobody's
          .forEach(names::add);
    }
    return names;
  }

  /**
   * @param wentOn whether the primary took ids after the look
   */
  static List<String> control(int major, Path primary, Path image, boolean wentOn)
      throws IOException {
    Map<String, String> expected = ControlFile.of(major, primary).values();
    Map<String, String> actual = ControlFile.of(major, image).values();
    List<String> differences = new ArrayList<>();
    expected.forEach((field, value) -> {
      if (!OWN.containsKey(field)
          && !(wentOn && COUNTERS.contains(field))
          && !value.equals(actual.get(field))) {
        differences.add(field + ": " + value + " → " + actual.get(field));
      }
    });
    long ahead =
        Long.parseLong(String.valueOf(actual.get("nextOid")))
            - Long.parseLong(String.valueOf(expected.get("nextOid")));
    if (ahead < 0 && ahead > -0x8000_0000L) {
      differences.add("nextOid goes back by " + -ahead);
    }
    return differences;
  }

  /** The reasons why fields differ, for the page that shows the table. */
  static Map<String, String> own() {
    return OWN;
  }
}
