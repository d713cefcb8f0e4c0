package dev.varve.engine.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.catalog.ClusterView;
import dev.varve.engine.catalog.RelationEntry;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.RelFileLocator;
import dev.varve.engine.redo.Slru;
import dev.varve.testkit.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * File by file: every block of every relation fork and every durable SLRU that Varve serves at an
 * LSN, against what a stock standby has on disk after replaying the same base backup and the same
 * WAL to that LSN and shutting down. What a standby may leave otherwise is named where it is
 * skipped.
 */
final class StandbyComparison {
  private StandbyComparison() {}

  /**
   * Lets the standby replay to {@code lsn} and compares.
   *
   * @param copy its data directory
   * @param settings its own beside those of recovery
   */
  static void compare(
      PostgresServer primary,
      Path copy,
      Timeline timeline,
      long lsn,
      boolean checksums,
      Map<String, String> settings)
      throws Exception {
    PostgresServer.Builder builder =
        PostgresServer.builder(primary.major())
            .setting(
                "restore_command", "cp " + primary.dataDirectory().resolve("pg_wal") + "/%f %p")
            .setting("recovery_target_lsn", Lsn.format(lsn))
            .setting("recovery_target_inclusive", "off")
            .setting("recovery_target_action", "shutdown")
            .setting("hot_standby", "off")
            .setting("log_min_messages", "log");
    settings.forEach(builder::setting);
    PostgresServer standby = builder.on(copy);
    // Recovery stops before the first record behind the target: there has to be one, in a segment
    // that is complete.
    primary.execute(
        "postgres",
        "select pg_logical_emit_message(false, 'varve', 'end')",
        "select pg_switch_wal()");
    if (!Files.exists(copy.resolve("recovery.signal"))) {
      Files.createFile(copy.resolve("recovery.signal"));
      PostgresServer.own(copy.resolve("recovery.signal"));
    }
    standby.runToShutdown();

    List<String> differences = new ArrayList<>();
    int compared = 0;
    for (ClusterView.Directory directory : timeline.view(lsn).directories()) {
      String path = path(directory, copy);
      for (RelationEntry entry :
          timeline.listRelations(directory.tablespaceOid(), directory.databaseOid(), lsn)) {
        if (entry.fork() == ForkNumber.FREE_SPACE_MAP) {
          // A standby keeps it by itself, Varve does not: decision 13.
          continue;
        }
        Path file =
            copy.resolve(path)
                .resolve(
                    Integer.toUnsignedString(entry.relationNumber())
                        // The main fork of an unlogged relation is served from its init fork,
                        // which a standby copies there only when its recovery ends.
                        + ForkNumber.suffix(entry.sourceFork()));
        byte[] theirs = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
        String name = path + "/" + file.getFileName();
        if (theirs.length != entry.blocks() * Page.SIZE) {
          differences.add(
              name + ": " + entry.blocks() + " blocks, standby " + theirs.length / Page.SIZE);
          continue;
        }
        byte[] ours = new byte[theirs.length];
        timeline.readPages(
            new RelFileLocator(
                directory.tablespaceOid(), directory.databaseOid(), entry.relationNumber()),
            entry.sourceFork(),
            0,
            entry.blocks(),
            lsn,
            ours);
        for (int block = 0; block < entry.blocks(); block++) {
          compared++;
          int at = block * Page.SIZE;
          int end = at + Page.SIZE;
          if (!checksums) {
            // Without checksums the field holds what some image left in it.
            ours[at + 8] = theirs[at + 8];
            ours[at + 9] = theirs[at + 9];
          }
          int mismatch = Arrays.mismatch(ours, at, end, theirs, at, end);
          if (mismatch >= 0) {
            differences.add(
                name
                    + " block "
                    + block
                    + " differs at byte "
                    + mismatch
                    + ": "
                    + ours[at + mismatch]
                    + " instead of "
                    + theirs[at + mismatch]);
          }
        }
      }
    }
    compareTransactionLogs(copy, timeline.view(lsn), differences);
    assertTrue(compared > 1000, "only " + compared + " blocks compared");
    assertEquals(
        List.of(), differences.subList(0, Math.min(40, differences.size())), standby.log());
  }

  /**
   * The durable SLRUs, file by file. {@code pg_subtrans}, {@code pg_serial} and {@code pg_notify}
   * are none: PostgreSQL starts with them empty, and no WAL is about them.
   */
  private static void compareTransactionLogs(Path copy, ClusterView view, List<String> differences)
      throws IOException {
    List<String> directories =
        List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts");
    for (int slru = 0; slru < directories.size(); slru++) {
      String directory = directories.get(slru);
      Map<String, ByteArrayOutputStream> ours = new TreeMap<>();
      byte[] page = new byte[Page.SIZE];
      long pages = Slru.pages(slru);
      long end = view.slruEndPage(slru) % pages;
      for (long number = view.slruFirstPage(slru); number != end; number = (number + 1) % pages) {
        view.slruPage(slru, (int) number, page);
        ours.computeIfAbsent(
                "%04X".formatted(number / Slru.PAGES_PER_SEGMENT),
                name -> new ByteArrayOutputStream())
            .writeBytes(page);
      }
      Map<String, byte[]> theirs = new TreeMap<>();
      try (Stream<Path> files = Files.list(copy.resolve(directory))) {
        for (Path file : (Iterable<Path>) files::iterator) {
          theirs.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
      }
      if (!ours.keySet().equals(theirs.keySet())) {
        differences.add(
            directory
                + ": "
                + ours.keySet()
                + ", standby "
                + theirs.keySet()
                + " at "
                + view.lsn());
        continue;
      }
      for (String name : theirs.keySet()) {
        byte[] mine = ours.get(name).toByteArray();
        int mismatch = Arrays.mismatch(mine, theirs.get(name));
        if (mismatch >= 0) {
          differences.add(
              "%s/%s differs at page %d byte %d; %d pages, standby %d"
                  .formatted(
                      directory,
                      name,
                      mismatch / Page.SIZE,
                      mismatch % Page.SIZE,
                      mine.length / Page.SIZE,
                      theirs.get(name).length / Page.SIZE));
        }
      }
    }
  }

  private static String path(ClusterView.Directory directory, Path copy) throws IOException {
    if (directory.databaseOid() == 0) {
      return "global";
    }
    String database = Integer.toUnsignedString(directory.databaseOid());
    if (directory.tablespaceOid() == RelFileLocator.DEFAULT_TABLESPACE) {
      return "base/" + database;
    }
    String tablespace = "pg_tblspc/" + Integer.toUnsignedString(directory.tablespaceOid());
    try (Stream<Path> versions = Files.list(copy.resolve(tablespace))) {
      return copy.relativize(versions.findFirst().orElseThrow()) + "/" + database;
    }
  }
}
