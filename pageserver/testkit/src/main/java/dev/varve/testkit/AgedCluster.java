package dev.varve.testkit;

import dev.varve.testkit.ControlFile.Field;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/**
 * Ages a cluster by transactions and multixacts that never were: their state is written into the
 * files of the SLRUs. Of 16 transactions one has failed; a transaction's time is its id in
 * milliseconds; a multixact has two members, which share a row's key.
 */
public final class AgedCluster {
  private static final int PAGE_BYTES = 8192;
  private static final int SEGMENT_PAGES = 32;
  private static final int XIDS_PER_PAGE = PAGE_BYTES * 4;
  private static final int MULTIS_PER_PAGE = PAGE_BYTES / 4;
  private static final int TIME_BYTES = 10;
  private static final int TIMES_PER_PAGE = PAGE_BYTES / TIME_BYTES;
  private static final int GROUP_MEMBERS = 4;
  private static final int GROUP_BYTES = 20;
  private static final int MEMBERS_PER_PAGE = PAGE_BYTES / GROUP_BYTES * GROUP_MEMBERS;
  private static final byte COMMITTED = 0x55;
  private static final byte ONE_ABORTED = 0x56;

  private AgedCluster() {}

  /** Writes a page of an SLRU. */
  private interface Pages {
    void fill(long page, ByteBuffer into);
  }

  /**
   * Ages a cluster that was just made and stopped.
   *
   * @param transactions the next id, about
   * @param times the last of them with a commit timestamp; 0: nothing is changed
   * @param multis the next multixact, about; 0: nothing is changed
   */
  public static void age(PostgresServer stopped, long transactions, long times, long multis)
      throws IOException {
    Path data = stopped.dataDirectory();
    Map<Field, Long> counters = new EnumMap<>(Field.class);
    long nextXid = transactions / XIDS_PER_PAGE * XIDS_PER_PAGE;
    counters.put(Field.NEXT_XID, nextXid);
    byte[] real = Files.readAllBytes(data.resolve("pg_xact/0000"));
    write(
        data.resolve("pg_xact"),
        0,
        nextXid / XIDS_PER_PAGE,
        (page, into) -> {
          if (page * PAGE_BYTES < real.length) {
            into.put(real, (int) page * PAGE_BYTES, PAGE_BYTES);
          }
          while (into.hasRemaining()) {
            into.put(into.position() % 4 == 0 ? ONE_ABORTED : COMMITTED);
          }
        });
    if (times > 0) {
      long oldest = (nextXid - times) / TIMES_PER_PAGE / SEGMENT_PAGES * SEGMENT_PAGES;
      counters.put(Field.OLDEST_COMMIT_TS_XID, oldest * TIMES_PER_PAGE);
      counters.put(Field.NEWEST_COMMIT_TS_XID, nextXid - 1);
      clear(data.resolve("pg_commit_ts"));
      write(
          data.resolve("pg_commit_ts"),
          oldest,
          nextXid / TIMES_PER_PAGE,
          (page, into) -> {
            for (int i = 0; i < TIMES_PER_PAGE; i++) {
              into.putLong((page * TIMES_PER_PAGE + i) * 1000).putShort((short) 0);
            }
          });
    }
    if (multis > 0) {
      long nextMulti = multis / MULTIS_PER_PAGE * MULTIS_PER_PAGE;
      counters.put(Field.NEXT_MULTI, nextMulti);
      counters.put(Field.NEXT_MULTI_OFFSET, 2 * nextMulti);
      write(
          data.resolve("pg_multixact/offsets"),
          0,
          nextMulti / MULTIS_PER_PAGE,
          (page, into) -> {
            for (int i = 0; i < MULTIS_PER_PAGE; i++) {
              into.putInt((int) (2 * (page * MULTIS_PER_PAGE + i)));
            }
          });
      write(
          data.resolve("pg_multixact/members"),
          0,
          2 * nextMulti / MEMBERS_PER_PAGE,
          (page, into) -> {
            for (int i = 0; i < MEMBERS_PER_PAGE; i++) {
              if (i % GROUP_MEMBERS == 0) {
                into.putInt(0); // their locks
              }
              into.putInt((int) (page * MEMBERS_PER_PAGE + i + 3));
            }
          });
    }
    ClusterReset.run(stopped, counters);
  }

  private static void clear(Path directory) throws IOException {
    try (var files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
  }

  /**
   * Writes segments.
   *
   * @param first page, a segment's first
   * @param next page, which the ids that come next fill; it is empty
   */
  private static void write(Path directory, long first, long next, Pages pages) throws IOException {
    ByteBuffer page = ByteBuffer.allocate(PAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long segment = first; segment <= next; segment += SEGMENT_PAGES) {
      Path file = directory.resolve("%04X".formatted(segment / SEGMENT_PAGES));
      try (var out = Files.newOutputStream(file)) {
        for (long number = segment; number < segment + SEGMENT_PAGES && number <= next; number++) {
          Arrays.fill(page.array(), (byte) 0);
          if (number < next) {
            pages.fill(number, page.clear());
          }
          out.write(page.array());
        }
      }
      PostgresServer.own(file);
    }
  }
}
