package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.i32;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.FullPageImage;
import dev.varve.engine.wal.WalDecoder;
import dev.varve.engine.wal.WalRecord;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Runs a workload on a real server with {@code wal_consistency_checking=all}, which puts the
 * primary's page behind every change into the WAL, redoes the WAL from the slim form of each record
 * and compares every page so made, masked as PostgreSQL masks it.
 *
 * <p>Pages of relations that are older than the workload start from the first image that is seen of
 * them; all others from nothing.
 */
final class WalConsistencyHarness {
  /**
   * What was compared.
   *
   * @param checked pages compared, by {@code Btree/0x30/1}: resource manager, info, block id; and
   *     records seen that have no blocks, by {@code Gist/0x20}
   * @param mismatches the first ones, for people
   */
  record Report(Map<String, Integer> checked, List<String> mismatches, int mismatchCount) {
    int count(String key) {
      return checked.getOrDefault(key, 0);
    }
  }

  private record Key(int database, int relation, int fork, int block) {}

  /** First OID that is not {@code initdb}'s. */
  private static final int FIRST_NORMAL_OID = 16384;

  private static final int SEGMENT_SIZE = 16 << 20;

  private static final int XLOG = 0;
  private static final int SMGR = 2;
  private static final int SMGR_TRUNCATE = 0x20;
  private static final int MOST_MESSAGES = 20;

  private final RedoContext context;
  private final Set<Integer> rmids;
  private final Map<Key, byte[]> pages = new HashMap<>();
  private final Map<String, Integer> checked = new TreeMap<>();
  private final List<String> mismatches = new ArrayList<>();
  private int mismatchCount;

  private WalConsistencyHarness(RedoContext context, Set<Integer> rmids) {
    this.context = context;
    this.rmids = rmids;
  }

  /**
   * Runs the workload on a server of this major; only records of {@code rmids} are redone and
   * compared.
   */
  static Report run(PostgresMajor major, Set<Integer> rmids, List<String> workload)
      throws Exception {
    try (PostgresServer server =
        PostgresServer.builder(major.number())
            .setting("wal_consistency_checking", "all")
            .setting("full_page_writes", "off")
            .setting("autovacuum", "off")
            .setting("wal_keep_size", "16GB")
            .setting("max_wal_size", "16GB")
            .setting("checkpoint_timeout", "1h")
            .setting("synchronous_commit", "off")
            .start()) {
      long startLsn;
      long endLsn;
      try (Connection connection = server.connect("postgres");
          Statement statement = connection.createStatement()) {
        server.execute("postgres", "select pg_switch_wal()");
        startLsn =
            Lsn.parse(server.query("postgres", "select pg_current_wal_insert_lsn()"))
                & -SEGMENT_SIZE;
        for (String sql : workload) {
          statement.execute(sql);
        }
        server.execute("postgres", "checkpoint");
        endLsn = Lsn.parse(server.currentLsn());
      }
      WalConsistencyHarness harness =
          new WalConsistencyHarness(new RedoContext(major, false), rmids);
      harness.replay(server.dataDirectory().resolve("pg_wal"), startLsn, endLsn);
      return new Report(harness.checked, harness.mismatches, harness.mismatchCount);
    }
  }

  private void replay(Path directory, long startLsn, long endLsn) throws IOException {
    WalDecoder decoder = new WalDecoder(context.major(), SEGMENT_SIZE, 0);
    decoder.startInside(startLsn);
    WalRecord record = new WalRecord();
    for (long lsn = startLsn; lsn < endLsn; lsn += SEGMENT_SIZE) {
      long segment = lsn / SEGMENT_SIZE;
      String name = String.format("%08X%08X%08X", 1, segment / 256, segment % 256);
      byte[] bytes = Files.readAllBytes(directory.resolve(name));
      decoder.feed(lsn, bytes, 0, (int) Math.min(SEGMENT_SIZE, endLsn - lsn));
      while (decoder.next(record)) {
        replay(record);
      }
    }
  }

  private void replay(WalRecord record) {
    if (record.rmid == SMGR && record.info == SMGR_TRUNCATE) {
      int main = record.mainOffset;
      int blocks = i32(record.bytes, main);
      int database = i32(record.bytes, main + 8);
      int relation = i32(record.bytes, main + 12);
      pages
          .keySet()
          .removeIf(key ->
              key.database == database
                  && key.relation == relation
                  && (key.fork != 0 || Integer.compareUnsigned(key.block, blocks) >= 0));
    }
    if (record.rmid != XLOG && !rmids.contains(record.rmid)) {
      return;
    }
    if (record.maxBlockId < 0) {
      checked.merge(
          ResourceManagers.name(record.rmid) + "/0x" + Integer.toHexString(record.info),
          1,
          Integer::sum);
    }
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        replay(record, id);
      }
    }
  }

  private void replay(WalRecord record, int id) {
    Key key =
        new Key(
            record.blockDatabase[id],
            record.blockRelation[id],
            record.blockFork[id],
            record.blockNumber[id]);
    byte[] page = pages.get(key);
    if (record.blockImageApplies[id]) {
      byte[] made = page == null ? new byte[Page.SIZE] : page;
      Redo.applyBlock(record, id, made, context);
      pages.put(key, made);
      return;
    }
    if (record.rmid == XLOG) {
      return;
    }
    byte[] expected = new byte[Page.SIZE];
    boolean hasImage = record.hasImage(id);
    if (hasImage) {
      FullPageImage.restore(record, id, expected);
    }
    if (page == null) {
      page = new byte[Page.SIZE];
      pages.put(key, page);
      if (!record.willInit(id)
          && hasImage
          && Integer.compareUnsigned(key.relation, FIRST_NORMAL_OID) < 0) {
        System.arraycopy(expected, 0, page, 0, Page.SIZE);
        Page.setLsn(page, record.endLsn);
        return;
      }
    }
    String what =
        ResourceManagers.name(record.rmid) + "/0x" + Integer.toHexString(record.info) + "/" + id;
    long oldLsn = Page.lsn(page);
    byte[] before = page.clone();
    try {
      redoSlim(record, id, page);
    } catch (RuntimeException e) {
      mismatch(what + " at " + Lsn.format(record.endLsn) + " " + key + ": " + e);
      System.arraycopy(expected, 0, page, 0, Page.SIZE);
      Page.setLsn(page, record.endLsn);
      return;
    }
    long lsn = Page.lsn(page);
    if (lsn != record.endLsn && lsn != oldLsn) {
      mismatch(what + ": LSN " + Lsn.format(lsn) + " after " + Lsn.format(record.endLsn));
    }
    if (hasImage) {
      compare(
          record,
          id,
          what + " at " + Lsn.format(record.endLsn) + " " + key,
          page,
          before,
          expected);
      checked.merge(what, 1, Integer::sum);
    }
  }

  private void redoSlim(WalRecord record, int id, byte[] page) {
    ByteWriter slim = new ByteWriter();
    BlockRecord.encode(record, id, false, slim);
    WalRecord decoded = new WalRecord();
    int target = BlockRecord.decode(slim.array(), 0, slim.length(), record.endLsn, decoded);
    Redo.apply(decoded, target, false, page, context);
  }

  private void compare(
      WalRecord record, int id, String what, byte[] page, byte[] before, byte[] expected) {
    byte[] mine = page.clone();
    byte[] theirs = expected.clone();
    PageMask.apply(record.rmid, mine, record.blockNumber[id]);
    PageMask.apply(record.rmid, theirs, record.blockNumber[id]);
    int at = Arrays.mismatch(mine, theirs);
    if (at >= 0) {
      int differing = 0;
      for (int i = 0; i < Page.SIZE; i++) {
        differing += mine[i] != theirs[i] ? 1 : 0;
      }
      mismatch(
          what
              + ": "
              + differing
              + " bytes differ, first at "
              + at
              + " "
              + around(mine, at)
              + " for "
              + around(theirs, at)
              + ", before "
              + around(before, at));
      System.arraycopy(expected, 0, page, 0, Page.SIZE);
      Page.setLsn(page, record.endLsn);
    }
  }

  private static String around(byte[] bytes, int at) {
    StringBuilder text = new StringBuilder();
    for (int i = Math.max(0, at - 4); i < Math.min(bytes.length, at + 12); i++) {
      text.append(i == at ? "[" : "")
          .append(String.format("%02x", bytes[i]))
          .append(i == at ? "]" : "");
    }
    return text.toString();
  }

  private void mismatch(String message) {
    mismatchCount++;
    if (mismatches.size() < MOST_MESSAGES) {
      mismatches.add(message);
    }
  }
}
