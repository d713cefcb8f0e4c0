package dev.varve.engine.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The decoder against PostgreSQL's own reading of the same WAL ({@code pg_walinspect}), images from
 * 16 on included. The binaries of the tests are built without LZ4 and zstd: images in these forms
 * are {@link FullPageImageTest}'s.
 */
class WalDecoderIT {
  private static final int SEGMENT = WalWorkload.SEGMENT_BYTES;
  private static final long SEED = 20261121;

  private static final List<String> RESOURCE_MANAGERS =
      List.of(
          "XLOG",
          "Transaction",
          "Storage",
          "CLOG",
          "Database",
          "Tablespace",
          "MultiXact",
          "RelMap",
          "Standby",
          "Heap2",
          "Heap",
          "Btree",
          "Hash",
          "Gin",
          "Gist",
          "Sequence",
          "SPGist",
          "BRIN",
          "CommitTs",
          "ReplicationOrigin",
          "Generic",
          "LogicalMessage");
  private static final List<String> FORKS = List.of("main", "fsm", "vm", "init");
  private static final Pattern BLOCK =
      Pattern.compile(
          "blkref #(\\d+): rel (\\d+)/(\\d+)/(\\d+)(?: fork (\\w+))? blk (\\d+)"
              + "(?: \\(FPW([^)]*)\\); hole: offset: (\\d+), length: (\\d+))?");

  /** What both sides say about a record, as one line. */
  private record Line(long startLsn, long nextLsn, String text) {}

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void readsWhatPostgresReads(PostgresMajor major) throws SQLException {
    try (PostgresServer server = WalWorkload.start(major.number());
        Connection connection = server.connect("postgres");
        Statement statement = connection.createStatement()) {
      statement.execute("create extension pg_walinspect");
      List<String> compressions = List.of("off", "pglz");
      for (String compression : compressions) {
        WalWorkload.run(server, compressions.indexOf(compression), compression);
      }
      WalFiles files = new WalFiles(server.dataDirectory().resolve("pg_wal"), SEGMENT);
      long firstLsn = files.firstLsn();
      long endLsn;
      try (ResultSet result = statement.executeQuery("select pg_current_wal_flush_lsn()")) {
        result.next();
        endLsn = Lsn.parse(result.getString(1));
      }
      byte[] wal = files.read(firstLsn, endLsn);
      List<Line> expected = oracle(statement, firstLsn, endLsn);
      Random random = new Random(SEED);

      WalDecoder decoder = new WalDecoder(major, SEGMENT, 0);
      decoder.startInside(firstLsn);
      assertSame(
          expected, decode(decoder, wal, firstLsn, firstLsn, random, 300_000, Integer.MAX_VALUE));
      for (long segment = firstLsn + SEGMENT; segment < endLsn; segment += SEGMENT) {
        long from = segment;
        decoder.startInside(from);
        List<Line> rest =
            expected.stream().filter(line -> line.startLsn() >= from).limit(50).toList();
        assertSame(rest, decode(decoder, wal, firstLsn, from, random, 30_000, 50));
      }
      for (int i = 0; i < 100; i++) {
        int index = 1 + random.nextInt(expected.size() - 1);
        long from =
            (i & 1) == 0 ? expected.get(index).startLsn() : expected.get(index - 1).nextLsn();
        decoder.startAt(from, expected.get(index - 1).startLsn());
        List<Line> rest = expected.subList(index, Math.min(expected.size(), index + 500));
        assertSame(
            rest,
            decode(decoder, wal, firstLsn, from, random, 1 << random.nextInt(18), rest.size()));
      }
      assertTrue(expected.size() > 10_000, () -> expected.size() + " records");
      if (major.atLeast(PostgresMajor.V16)) {
        checkImages(statement, major, wal, firstLsn);
      }
    }
  }

  private static void assertSame(List<Line> expected, List<Line> actual) {
    for (int i = 0; i < Math.min(expected.size(), actual.size()); i++) {
      assertEquals(expected.get(i), actual.get(i), "record " + i);
    }
    assertEquals(expected.size(), actual.size());
  }

  private static List<Line> oracle(Statement statement, long firstLsn, long endLsn)
      throws SQLException {
    List<Line> lines = new ArrayList<>();
    try (ResultSet rows =
        statement.executeQuery(
            "select start_lsn, end_lsn, prev_lsn, xid, resource_manager, record_length, main_data_length, fpi_length,"
                + " block_ref from pg_get_wal_records_info('"
                + Lsn.format(firstLsn)
                + "', '"
                + Lsn.format(endLsn)
                + "')")) {
      while (rows.next()) {
        StringBuilder blocks = new StringBuilder();
        String references = rows.getString(9);
        if (references != null) {
          Matcher matcher = BLOCK.matcher(references);
          while (matcher.find()) {
            blocks.append(
                block(
                    matcher.group(1),
                    matcher.group(2) + "/" + matcher.group(3) + "/" + matcher.group(4),
                    matcher.group(5) == null ? "main" : matcher.group(5),
                    matcher.group(6)));
            if (matcher.group(7) != null) {
              blocks.append(image(matcher.group(7).isEmpty(), matcher.group(8), matcher.group(9)));
            }
          }
        }
        lines.add(
            new Line(
                Lsn.parse(rows.getString(1)),
                Lsn.parse(rows.getString(2)),
                text(
                    rows.getString(3),
                    rows.getString(4),
                    rows.getString(5),
                    rows.getInt(6),
                    rows.getInt(7),
                    rows.getInt(8),
                    blocks.toString())));
      }
    }
    return lines;
  }

  private static String text(
      String prev,
      String xid,
      String manager,
      int length,
      int mainLength,
      int imageLength,
      String blocks) {
    return "prev "
        + prev
        + " xid "
        + xid
        + " "
        + manager
        + " length "
        + length
        + " main "
        + mainLength
        + " images "
        + imageLength
        + blocks;
  }

  private static String block(Object id, Object relation, Object fork, Object number) {
    return " #" + id + " " + relation + " " + fork + " " + number;
  }

  private static String image(boolean applies, Object holeOffset, Object holeLength) {
    return (applies ? " image " : " check image ") + holeOffset + "+" + holeLength;
  }

  private static Line line(WalRecord record, WalDecoder decoder) {
    StringBuilder blocks = new StringBuilder();
    int images = 0;
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.hasBlock(id)) {
        blocks.append(
            block(
                id,
                record.locator(id),
                FORKS.get(record.blockFork[id]),
                Integer.toUnsignedString(record.blockNumber[id])));
        if (record.hasImage(id)) {
          images += record.blockImageLength[id];
          blocks.append(
              image(
                  record.blockImageApplies[id],
                  record.blockImageHoleOffset[id],
                  record.blockImageHoleLength[id]));
        }
      }
    }
    return new Line(
        record.startLsn,
        decoder.nextLsn(),
        text(
            Lsn.format(record.prevLsn),
            Integer.toUnsignedString(record.xid),
            RESOURCE_MANAGERS.get(record.rmid),
            record.length,
            record.mainLength,
            images,
            blocks.toString()));
  }

  private static List<Line> decode(
      WalDecoder decoder,
      byte[] wal,
      long baseLsn,
      long fromLsn,
      Random random,
      int maxChunk,
      int limit) {
    List<Line> lines = new ArrayList<>();
    WalRecord record = new WalRecord();
    ByteWriter slim = new ByteWriter();
    WalRecord decoded = new WalRecord();
    int at = (int) (fromLsn - baseLsn);
    while (at < wal.length && lines.size() < limit) {
      int count = Math.min(wal.length - at, 1 + random.nextInt(maxChunk));
      decoder.feed(baseLsn + at, Arrays.copyOfRange(wal, at, at + count), 0, count);
      at += count;
      while (lines.size() < limit && decoder.next(record)) {
        lines.add(line(record, decoder));
        for (int id = 0; id <= record.maxBlockId; id++) {
          if (record.hasBlock(id)) {
            slim.reset();
            BlockRecord.encode(record, id, record.mainLength, false, slim);
            assertEquals(
                id, BlockRecord.decode(slim.array(), 0, slim.length(), record.endLsn, decoded));
          }
        }
      }
    }
    return lines;
  }

  /** Restored images against those that PostgreSQL restores. */
  private static void checkImages(
      Statement statement, PostgresMajor major, byte[] wal, long firstLsn) throws SQLException {
    WalDecoder decoder = new WalDecoder(major, SEGMENT, 0);
    decoder.startInside(firstLsn);
    decoder.feed(firstLsn, wal, 0, wal.length);
    WalRecord record = new WalRecord();
    byte[] page = new byte[8192];
    int[] seen = new int[4];
    try (ResultSet rows =
        statement.executeQuery(
            "select start_lsn, block_id, block_fpi_data from pg_get_wal_block_info('"
                + Lsn.format(firstLsn)
                + "', '"
                + Lsn.format(firstLsn + wal.length)
                + "') where block_fpi_data is not null order by start_lsn, block_id")) {
      boolean more = rows.next();
      while (decoder.next(record)) {
        for (int id = 0; id <= record.maxBlockId; id++) {
          if (record.hasBlock(id) && record.hasImage(id)) {
            assertTrue(more);
            assertEquals(Lsn.format(record.startLsn), rows.getString(1));
            assertEquals(id, rows.getInt(2));
            FullPageImage.restore(record, id, page);
            assertTrue(
                Arrays.equals(rows.getBytes(3), page),
                () -> "image at " + Lsn.format(record.startLsn));
            seen[record.blockImageCompression[id]]++;
            more = rows.next();
          }
        }
      }
      assertTrue(!more);
    }
    assertTrue(
        seen[0] > 100 && seen[1] > 100, () -> "images by compression " + Arrays.toString(seen));
  }
}
