package dev.varve.engine.redo;

import static dev.varve.engine.bytes.LittleEndian.putU16;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.ForkNumber;
import dev.varve.engine.postgres.Lsn;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.BlockRecord;
import dev.varve.engine.wal.FullPageImage;
import dev.varve.engine.wal.WalRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Redoes WAL that was written with {@code wal_consistency_checking=all} on pages in memory and
 * compares each page with the image behind its change.
 *
 * <p>Compared is what PostgreSQL compares ({@link PageMask}) and more: pages of the visibility map
 * as they are, a heap page's all-visible flag, the LSN that the primary's page had before the
 * change, and the pages of {@code FPI_FOR_HINT}. Pages of relations that are older than the
 * workload start from the first image that is seen of them; all others from nothing.
 */
final class PageReplay {
  private record Key(int database, int relation, int fork, int block) {}

  /** First OID that is not {@code initdb}'s. */
  private static final int FIRST_NORMAL_OID = 16384;

  private static final int XLOG = 0;
  private static final int FPI_FOR_HINT = 0xA0;
  private static final int HEAP2 = 9;
  private static final int HEAP = 10;

  /**
   * What pages of a GiST index that is being built have on the primary; those made anew, such as
   * freed pages of a hash index, have 0.
   */
  private static final long GIST_BUILD_LSN = 1;

  /** In {@code xl_parameter_change}. */
  private static final int WAL_LOG_HINTS = 24;

  private static final int MOST_MESSAGES = 20;

  private final boolean checksums;
  private RedoContext context;
  private final Set<Integer> rmids;
  private final Map<Key, byte[]> pages = new HashMap<>();

  /** The manager that last changed a page: its mask is the page's. */
  private final Map<Key, Integer> owners = new HashMap<>();

  /** The LSN of the primary's page, where only the primary has it. */
  private final Map<Key, Long> hintLsns = new HashMap<>();

  private final Map<String, Integer> checked = new TreeMap<>();
  private final Map<String, Integer> restored = new TreeMap<>();
  private final Map<String, Integer> records = new TreeMap<>();
  private final List<String> mismatches = new ArrayList<>();
  private final PageEffects effects = new PageEffects();
  private int mismatchCount;

  /** Redoes and compares records of {@code rmids}, and of the XLOG manager in any case. */
  PageReplay(PostgresMajor major, boolean checksums, boolean hintsLogged, Set<Integer> rmids) {
    this.checksums = checksums;
    this.context = new RedoContext(major, checksums || hintsLogged);
    this.rmids = rmids;
  }

  WalConsistencyHarness.Report report() {
    return new WalConsistencyHarness.Report(checked, restored, records, mismatches, mismatchCount);
  }

  /** Applies to the pages what records do to them without naming them. */
  private final class PageEffects extends RecordingEffects {
    private PageEffects() {
      super(true);
    }

    /** Follows {@code wal_log_hints} of the primary, which its pages' LSNs depend on. */
    @Override
    public void parameterChange(byte[] bytes, int offset, int length) {
      boolean hints = checksums || bytes[offset + WAL_LOG_HINTS] != 0;
      context = new RedoContext(context.major(), hints);
    }

    @Override
    public void truncateRelation(
        int tablespaceOid, int databaseOid, int relationNumber, int fork, int blocks) {
      pages
          .keySet()
          .removeIf(key ->
              key.database == databaseOid
                  && key.relation == relationNumber
                  && key.fork == fork
                  && Integer.compareUnsigned(key.block, blocks) >= 0);
    }

    @Override
    public void dropRelation(int tablespaceOid, int databaseOid, int relationNumber) {
      pages.keySet().removeIf(key -> key.database == databaseOid && key.relation == relationNumber);
    }

    @Override
    public void deriveBlock(
        int tablespaceOid,
        int databaseOid,
        int relationNumber,
        int fork,
        int block,
        boolean extend,
        byte[] op,
        int offset,
        int length) {
      Key key = new Key(databaseOid, relationNumber, fork, block);
      if (extend && Integer.compareUnsigned(relationNumber, FIRST_NORMAL_OID) >= 0) {
        pages.putIfAbsent(key, new byte[Page.SIZE]);
      }
      byte[] page = pages.get(key);
      if (page != null) {
        DerivedOp.apply(op, offset, length, page);
      }
    }
  }

  void replay(WalRecord record) {
    String what = ResourceManagers.name(record.rmid) + "/0x" + Integer.toHexString(record.info);
    records.merge(what, 1, Integer::sum);
    flags(record, what);
    Redo.effects(record, context, effects);
    effects.lines().clear();
    if (record.rmid != XLOG && !rmids.contains(record.rmid)) {
      return;
    }
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        replay(record, id, what + "/" + id);
      }
    }
  }

  /** Counts each flag of heap records by itself, as {@code Heap/0x10&0x8}. */
  private void flags(WalRecord record, String what) {
    int at =
        switch (record.rmid << 8 | record.info & 0x70) {
          case HEAP << 8 -> 2;
          case HEAP << 8 | 0x10, HEAP << 8 | 0x20, HEAP << 8 | 0x40, HEAP << 8 | 0x60 -> 7;
          case HEAP2 << 8 | 0x10, HEAP2 << 8 | 0x20, HEAP2 << 8 | 0x30 ->
              context.major().atLeast(PostgresMajor.V17) ? 1 : -1;
          case HEAP2 << 8 | 0x40 -> 4;
          case HEAP2 << 8 | 0x50 -> 0;
          case HEAP2 << 8 | 0x60 -> 7;
          default -> -1;
        };
    if (at >= 0) {
      int flags = record.bytes[record.mainOffset + at] & 0xFF;
      for (int bit = 1; bit <= flags; bit <<= 1) {
        if ((flags & bit) != 0) {
          records.merge(what + "&0x" + Integer.toHexString(bit), 1, Integer::sum);
        }
      }
    }
  }

  private void replay(WalRecord record, int id, String what) {
    Key key =
        new Key(
            record.blockDatabase[id],
            record.blockRelation[id],
            record.blockFork[id],
            record.blockNumber[id]);
    byte[] page = pages.get(key);
    if (record.blockImageApplies[id]) {
      restore(record, id, what, key, page);
      return;
    }
    if (record.rmid == XLOG) {
      hintWithoutImage(record, id, what, key, page);
      return;
    }
    byte[] expected = new byte[Page.SIZE];
    boolean hasImage = record.hasImage(id);
    if (hasImage) {
      FullPageImage.restore(record, id, expected);
    }
    owners.put(key, record.rmid);
    if (page == null) {
      page = new byte[Page.SIZE];
      pages.put(key, page);
      if (!record.willInit(id)
          && hasImage
          && Integer.compareUnsigned(key.relation, FIRST_NORMAL_OID) < 0) {
        take(record, expected, page);
        return;
      }
    }
    String where = what + " at " + Lsn.format(record.endLsn) + " " + key;
    byte[] before = page.clone();
    try {
      redoSlim(record, id, page);
    } catch (RuntimeException e) {
      mismatch(where + ": " + e);
      take(record, expected, page);
      return;
    }
    long lsn = Page.lsn(page);
    if (lsn != record.endLsn && lsn != Page.lsn(before)) {
      mismatch(where + ": LSN " + Lsn.format(lsn));
    }
    if (hasImage) {
      checked.merge(what, 1, Integer::sum);
      // The image was taken before the primary's page got its new LSN.
      Long hintLsn = hintLsns.remove(key);
      if (!record.willInit(id)
          && Page.lsn(expected) != Page.lsn(before)
          && Page.lsn(expected) > GIST_BUILD_LSN
          && (hintLsn == null || hintLsn != Page.lsn(expected))) {
        mismatch(
            where
                + ": LSN before it "
                + Lsn.format(Page.lsn(before))
                + " for "
                + Lsn.format(Page.lsn(expected)));
      }
      if (!same(where, record.rmid, key, page, before, expected)) {
        take(record, expected, page);
      }
    }
  }

  /** An image that applies; one that is there for hint bits only must not bring anything else. */
  private void restore(WalRecord record, int id, String what, Key key, byte[] page) {
    byte[] made = page == null ? new byte[Page.SIZE] : page;
    byte[] before = made.clone();
    Redo.applyBlock(record, id, made, context);
    pages.put(key, made);
    restored.merge(what, 1, Integer::sum);
    if (record.rmid != XLOG) {
      owners.put(key, record.rmid);
    }
    Integer owner = owners.get(key);
    if (record.rmid == XLOG && record.info == FPI_FOR_HINT && page != null && owner != null) {
      checked.merge(what, 1, Integer::sum);
      same(what + " at " + Lsn.format(record.endLsn) + " " + key, owner, key, before, before, made);
    }
  }

  /** Without full-page writes a hint is logged for nothing: the primary stamps its page, alone. */
  private void hintWithoutImage(WalRecord record, int id, String what, Key key, byte[] page) {
    hintLsns.put(key, record.endLsn);
    if (page != null) {
      byte[] before = page.clone();
      redoSlim(record, id, page);
      if (!Arrays.equals(before, page)) {
        mismatch(what + " at " + Lsn.format(record.endLsn) + " " + key + " changes its page");
      }
    }
  }

  private static void take(WalRecord record, byte[] expected, byte[] page) {
    System.arraycopy(expected, 0, page, 0, Page.SIZE);
    Page.setLsn(page, record.endLsn);
  }

  private void redoSlim(WalRecord record, int id, byte[] page) {
    ByteWriter slim = new ByteWriter();
    BlockRecord.encode(
        record, id, ResourceManagers.of(record.rmid).redoMainLength(record), false, slim);
    WalRecord decoded = new WalRecord();
    int target = BlockRecord.decode(slim.array(), 0, slim.length(), record.endLsn, decoded);
    Redo.apply(decoded, target, false, page, context);
  }

  private boolean same(
      String where, int rmid, Key key, byte[] page, byte[] before, byte[] expected) {
    byte[] mine = masked(page, rmid, key);
    byte[] theirs = masked(expected, rmid, key);
    int at = Arrays.mismatch(mine, theirs);
    if (at < 0) {
      return true;
    }
    int differing = 0;
    for (int i = 0; i < Page.SIZE; i++) {
      differing += mine[i] != theirs[i] ? 1 : 0;
    }
    mismatch(
        where
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
    return false;
  }

  /**
   * What is compared of a page. PostgreSQL's mask for heap records hides the visibility map, which
   * to it is all unused space, and a heap page's own all-visible flag, without which a scan shows
   * rows that it must not.
   */
  private static byte[] masked(byte[] page, int rmid, Key key) {
    byte[] masked = page.clone();
    if (key.fork == ForkNumber.VISIBILITY_MAP) {
      Page.setLsn(masked, 0);
      putU16(masked, Page.CHECKSUM, 0);
    } else {
      PageMask.apply(rmid, masked, key.block);
      if ((rmid == HEAP || rmid == HEAP2) && Page.hasFlag(page, Page.ALL_VISIBLE)) {
        Page.setFlag(masked, Page.ALL_VISIBLE);
      }
    }
    return masked;
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
