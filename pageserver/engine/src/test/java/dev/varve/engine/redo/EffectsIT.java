package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalFiles;
import dev.varve.engine.wal.WalRecord;
import dev.varve.engine.wal.WalWorkload;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The effects of a workload's WAL, applied to the transaction state as it was before, against
 * PostgreSQL's own files after: {@code pg_xact}, both multixact logs, {@code pg_commit_ts}, {@code
 * pg_twophase} and the relation map.
 */
class EffectsIT {
  private static final List<String> DIRECTORIES =
      List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts");

  /** The managers whose records have to do with this state. */
  private static final Set<Integer> STATE_MANAGERS = Set.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 19, 21);

  /** {@code PostgresDbOid}: {@code VACUUM FULL pg_class} changes its map. */
  private static final int POSTGRES_DATABASE = 5;

  /** Carries effects out on pages in memory. */
  private static final class Replay extends RecordingEffects {
    private final List<Map<Integer, byte[]>> state;
    private final Map<Integer, byte[]> prepared = new TreeMap<>();
    private final Map<Integer, byte[]> maps = new TreeMap<>();
    private final int[] changes = new int[DIRECTORIES.size()];

    private Replay(List<Map<Integer, byte[]>> state) {
      super(true);
      this.state = state;
    }

    @Override
    public void zeroSlruPage(int slru, int page) {
      state.get(slru).put(page, new byte[Page.SIZE]);
    }

    @Override
    public void deriveSlru(int slru, int page, byte[] op, int offset, int length) {
      changes[slru]++;
      DerivedOp.apply(
          op, offset, length, state.get(slru).computeIfAbsent(page, key -> new byte[Page.SIZE]));
    }

    @Override
    public void prepareTransaction(int xid, byte[] bytes, int offset, int length) {
      prepared.put(xid, Arrays.copyOfRange(bytes, offset, offset + length));
    }

    @Override
    public void forgetPrepared(int xid) {
      prepared.remove(xid);
    }

    @Override
    public void relationMap(
        int databaseOid, int tablespaceOid, byte[] bytes, int offset, int length) {
      maps.put(databaseOid, Arrays.copyOfRange(bytes, offset, offset + length));
    }
  }

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void makeTheFilesThatPostgresMakes(PostgresMajor major) throws Exception {
    try (PostgresServer server = WalWorkload.start(major.number())) {
      Path data = server.dataDirectory();
      // A shutdown writes everything out; what it writes last is the checkpoint that replay begins
      // behind.
      server.stop();
      List<Map<Integer, byte[]>> state =
          DIRECTORIES.stream().map(name -> pages(data.resolve(name))).toList();
      server.start();
      WalFiles files = new WalFiles(data.resolve("pg_wal"), WalWorkload.SEGMENT_BYTES);
      long firstLsn = files.firstLsn();
      long fromLsn = Lsn.parse(server.currentLsn());
      WalWorkload.run(server, 1, null);
      server.execute("postgres", "checkpoint");
      long endLsn = Lsn.parse(server.currentLsn());
      server.stop();

      Replay replay = new Replay(state);
      replay(major, files, firstLsn, fromLsn, endLsn, replay);

      for (int slru = 0; slru < DIRECTORIES.size(); slru++) {
        Map<Integer, byte[]> expected = pages(data.resolve(DIRECTORIES.get(slru)));
        Map<Integer, byte[]> actual = state.get(slru);
        for (Map.Entry<Integer, byte[]> page : expected.entrySet()) {
          byte[] made = actual.getOrDefault(page.getKey(), new byte[Page.SIZE]);
          assertArrayEquals(
              page.getValue(), made, DIRECTORIES.get(slru) + " page " + page.getKey());
        }
        assertTrue(replay.changes[slru] > 0, DIRECTORIES.get(slru) + " was not changed");
      }
      checkPrepared(data.resolve("pg_twophase"), replay);
      byte[] map =
          Files.readAllBytes(data.resolve("base/" + POSTGRES_DATABASE + "/pg_filenode.map"));
      assertArrayEquals(map, replay.maps.get(POSTGRES_DATABASE));
    }
  }

  private static void replay(
      PostgresMajor major,
      WalFiles files,
      long firstLsn,
      long fromLsn,
      long endLsn,
      Replay replay) {
    RedoContext context = new RedoContext(major, false);
    byte[] wal = files.read(firstLsn, endLsn);
    WalDecoder decoder = new WalDecoder(major, WalWorkload.SEGMENT_BYTES, 0);
    decoder.startInside(firstLsn);
    decoder.feed(firstLsn, wal, 0, wal.length);
    WalRecord record = new WalRecord();
    while (decoder.next(record)) {
      if (record.endLsn > fromLsn && STATE_MANAGERS.contains(record.rmid)) {
        Redo.effects(record, context, replay);
      }
    }
  }

  private static void checkPrepared(Path directory, Replay replay) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> left = files.toList();
      assertEquals(1, left.size());
      assertEquals(1, replay.prepared.size());
      int xid = (int) Long.parseLong(left.get(0).getFileName().toString(), 16);
      assertArrayEquals(Files.readAllBytes(left.get(0)), replay.prepared.get(xid));
    }
  }

  /** The pages of a segmented log by number. */
  private static Map<Integer, byte[]> pages(Path directory) {
    Map<Integer, byte[]> pages = new TreeMap<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        int first = Integer.parseInt(file.getFileName().toString(), 16) * Slru.PAGES_PER_SEGMENT;
        byte[] bytes = Files.readAllBytes(file);
        for (int page = 0; page < bytes.length / Page.SIZE; page++) {
          byte[] copy = new byte[Page.SIZE];
          System.arraycopy(bytes, page * Page.SIZE, copy, 0, Page.SIZE);
          pages.put(first + page, copy);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return pages;
  }
}
