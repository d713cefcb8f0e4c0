package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * What records without blocks do, from records made by hand; {@code WalEffectsIT} has those of
 * PostgreSQL.
 */
class EffectsTest {
  private static final RedoContext V15 = new RedoContext(PostgresMajor.V15, false);
  private static final RedoContext V16 = new RedoContext(PostgresMajor.V16, false);
  private static final RedoContext V17 = new RedoContext(PostgresMajor.V17, false);
  private static final RedoContext V18 = new RedoContext(PostgresMajor.V18, true);

  /**
   * Main data written word by word: an {@code Integer} is a u32, a {@code Long} a u64, a {@code
   * Short} a u16, a {@code Byte} a u8.
   */
  static byte[] main(Object... words) {
    ByteWriter out = new ByteWriter();
    for (Object word : words) {
      switch (word) {
        case Integer value -> out.i32(value);
        case Long value -> out.i64(value);
        case Short value -> out.u16(value);
        case Byte value -> out.u8(value);
        case byte[] value -> out.bytes(value);
        case String value -> out.bytes((value + "\0").getBytes(StandardCharsets.UTF_8));
        default -> throw new IllegalArgumentException(word.toString());
      }
    }
    return out.toByteArray();
  }

  static WalRecord record(int rmid, int info, int xid, byte[] main) {
    WalRecord record = new WalRecord();
    record.rmid = rmid;
    record.info = info;
    record.xid = xid;
    record.endLsn = 0x1000;
    record.bytes = main;
    record.mainLength = main.length;
    return record;
  }

  private static void check(
      WalRecord record, RedoContext context, boolean commitTs, String... expected) {
    RecordingEffects effects = new RecordingEffects(commitTs);
    Redo.effects(record, context, effects);
    assertEquals(List.of(expected), effects.lines());
  }

  private static void refuse(WalRecord record, RedoContext context, String message) {
    RedoException e =
        assertThrows(
            RedoException.class, () -> Redo.effects(record, context, new RecordingEffects(true)));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void commit() {
    check(
        record(1, 0, 700, main(5L)),
        V17,
        false,
        "advanceNextXid 700",
        "advanceNextXid 700",
        "deriveSlru xact 0 040101bc02",
        "commitTime 5");
  }

  @Test
  void commitWithEverything() {
    for (RedoContext context : List.of(V15, V16, V17, V18)) {
      int statsSize = context.major() == PostgresMajor.V18 ? 16 : 12;
      WalRecord record =
          record(
              1,
              0x80,
              32767,
              main(
                  5L, // time
                  0xE000_016F, // dbinfo, subxacts, relations, invals, origin, locks, stats, wishes
                  5,
                  1663,
                  2,
                  32768,
                  32769, // subtransactions
                  1,
                  1663,
                  5,
                  9000, // relations
                  1,
                  new byte[statsSize],
                  2,
                  new byte[32], // invalidations
                  0x99L,
                  7L)); // origin
      record.origin = 3;
      check(
          record,
          context,
          true,
          "advanceNextXid 32767",
          "advanceNextXid 32769",
          "deriveSlru commit_ts 40 07070000000000000003000307000800" + "0900",
          "newestCommitTsXid 32769",
          "deriveSlru xact 0 040101ff7f",
          "deriveSlru xact 1 0401020000" + "0100",
          "dropRelation 1663 5 9000",
          "replicationOrigin 3 153 4096",
          "commitTime 5");
    }
  }

  @Test
  void abort() {
    check(
        record(1, 0xA0, 700, main(5L, 4, 1, 1663, 5, 9000)),
        V17,
        true,
        "advanceNextXid 700",
        "advanceNextXid 700",
        "deriveSlru xact 0 040201bc02",
        "dropRelation 1663 5 9000");
    refuse(record(1, 0xA0, 700, main(5L, 8, 0)), V17, "an abort has no invalidations");
  }

  @Test
  void preparedEnds() {
    check(
        record(1, 0xB0, 0, main(5L, 0x90, 701, "gid")),
        V17,
        false,
        "advanceNextXid 701",
        "deriveSlru xact 0 040101bd02",
        "forgetPrepared 701",
        "commitTime 5");
    check(
        record(1, 0xC0, 0, main(5L, 0x10, 701)),
        V17,
        true,
        "advanceNextXid 701",
        "deriveSlru xact 0 040201bd02",
        "forgetPrepared 701");
    refuse(record(1, 0x30, 0, main(5L)), V17, "the kind of record disagree");
    refuse(record(1, 0, 0, main(5L)), V17, "the end of no transaction");
    refuse(record(1, 0x80, 9, main(5L, 0x200)), V17, "xinfo 0x200 has bits that are not known");
    refuse(
        record(1, 0x80, 9, main(5L, 2, 1000)), V17, "a count of 1000 where at most 0 is possible");
    refuse(record(1, 0, 9, main(5L, (byte) 0)), V17, "1 bytes too many");
  }

  @Test
  void prepare() {
    byte[] state =
        main(
            0x57F94534,
            100,
            700,
            5,
            0L,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            (short) 0,
            (short) 4,
            0x99L,
            7L,
            "gid",
            0,
            705,
            0,
            0L);
    assertEquals(96, state.length);
    WalRecord record = record(1, 0x10, 700, state);
    record.origin = 2;
    byte[] file = main(state, Crc32c.compute(state, 0, state.length));
    check(
        record,
        V17,
        false,
        "advanceNextXid 700",
        "advanceNextXid 705",
        "prepareTransaction 700 " + HexFormat.of().formatHex(file),
        "replicationOrigin 2 153 4096");
    refuse(
        record(1, 0x10, 700, Arrays.copyOf(state, 95)),
        V17,
        "two-phase state with magic 0x57f94534 and length 100");
  }

  @Test
  void otherTransactionRecordsDoNothing() {
    check(record(1, 0x50, 9, main(8, 1, 9)), V17, true, "advanceNextXid 9");
    check(record(1, 0x60, 9, main(1, 0L, 0L)), V17, true, "advanceNextXid 9");
    refuse(
        record(1, 0x70, 9, main()),
        V17,
        "effects of Transaction/0x70 ending at 0/1000: info 0x70 is not known");
  }

  @Test
  void xlog() {
    byte[] checkpoint = main(0L, 2, 1, new byte[72]);
    check(record(0, 0x00, 0, checkpoint), V17, false, "timelineSwitch 2 1", "checkpoint true");
    check(record(0, 0x10, 0, checkpoint), V17, false, "checkpoint false");
    check(record(0, 0x20, 0, main()), V17, false);
    check(record(0, 0x30, 0, main(24576)), V17, false, "nextOid 24576");
    check(record(0, 0x40, 0, main()), V17, false);
    check(record(0, 0x50, 0, main(77L)), V17, false, "backupEnd 77");
    check(record(0, 0x60, 0, new byte[28]), V17, false, "parameterChange 28");
    check(record(0, 0x70, 0, new byte[72]), V17, false);
    check(record(0, 0x80, 0, new byte[1]), V17, false);
    check(record(0, 0x90, 0, main(1L, 3, 2)), V16, false, "timelineSwitch 3 2");
    check(record(0, 0x90, 0, main(1L, 3, 2, 0L)), V17, false, "timelineSwitch 3 2");
    check(record(0, 0xA0, 0, main()), V17, false);
    check(record(0, 0xB0, 0, main()), V17, false);
    check(record(0, 0xD0, 0, new byte[16]), V17, false);
    check(record(0, 0xE0, 0, new byte[4]), V17, false);
    refuse(record(0, 0xE0, 0, new byte[4]), V16, "info 0xe0 is not known");
    refuse(record(0, 0xC0, 0, main()), V17, "info 0xc0 is not known");
    refuse(record(0, 0x00, 0, new byte[87]), V17, "need 88 bytes, have 87");
    refuse(record(0, 0x90, 0, main(1L, 3, 2)), V18, "need 8 bytes, have 0");
  }

  @Test
  void storage() {
    check(record(2, 0x10, 0, main(1663, 5, 9000, 3)), V17, false, "createRelation 1663 5 9000 3");
    refuse(record(2, 0x10, 0, main(1663, 5, 9000, 4)), V17, "a count of 4");
    check(
        record(2, 0x20, 0, main(4070, 1663, 5, 9000, 7)),
        V17,
        false,
        "createRelation 1663 5 9000 0",
        "truncateRelation 1663 5 9000 0 4070",
        "truncateRelation 1663 5 9000 1 4",
        "deriveBlock 1663 5 9000 1 3 false 0301",
        "truncateRelation 1663 5 9000 2 1",
        "deriveBlock 1663 5 9000 2 0 false 02e61f");
    check(
        record(2, 0x20, 0, main(0, 1663, 5, 9000, 7)),
        V17,
        false,
        "createRelation 1663 5 9000 0",
        "truncateRelation 1663 5 9000 0 0",
        "truncateRelation 1663 5 9000 1 2",
        "truncateRelation 1663 5 9000 2 0");
    check(
        record(2, 0x20, 0, main(1, 1663, 5, 9000, 2)),
        V17,
        false,
        "createRelation 1663 5 9000 0",
        "truncateRelation 1663 5 9000 2 1",
        "deriveBlock 1663 5 9000 2 0 false 0201");
  }

  @Test
  void databasesAndTablespaces() {
    check(
        record(4, 0x00, 9, main(20, 1663, 1, 1664)),
        V17,
        false,
        "advanceNextXid 9",
        "copyDatabase 1 1664 20 1663");
    check(record(4, 0x10, 0, main(20, 1663)), V17, false, "createDatabase 20 1663");
    check(
        record(4, 0x20, 0, main(20, 2, 1663, 30)),
        V17,
        false,
        "dropDatabase 20 1663",
        "dropDatabase 20 30");
    check(record(5, 0x00, 0, main(30, "/there/é")), V17, false, "createTablespace 30 /there/é");
    check(record(5, 0x10, 0, main(30)), V17, false, "dropTablespace 30");
    refuse(
        record(5, 0x00, 0, main(30, (byte) 65)), V17, "the location of tablespace 30 does not end");
  }

  @Test
  void segmentedLogs() {
    check(record(3, 0x00, 0, main(7)), V16, false, "zeroSlruPage xact 7");
    check(record(3, 0x00, 0, main(7L)), V17, false, "zeroSlruPage xact 7");
    check(
        record(3, 0x10, 0, main(7, 700, 5)), V15, false, "oldestXid 700 5", "truncateSlru xact 7");
    check(
        record(3, 0x10, 0, main(7L, 700, 5)), V18, false, "oldestXid 700 5", "truncateSlru xact 7");
    check(record(18, 0x00, 0, main(7L)), V17, false, "zeroSlruPage commit_ts 7");
    check(
        record(18, 0x10, 0, main(7, 700)),
        V16,
        false,
        "oldestCommitTsXid 700",
        "truncateSlru commit_ts 7");
    check(
        record(18, 0x10, 0, main(7L, 700)),
        V17,
        false,
        "oldestCommitTsXid 700",
        "truncateSlru commit_ts 7");
    refuse(record(3, 0x00, 0, main(7)), V17, "need 8 bytes, have 4");
    refuse(record(3, 0x00, 0, main(-7L)), V17, "page -7 of a segmented log");
  }

  @Test
  void multixacts() {
    check(record(6, 0x00, 0, main(7L)), V17, false, "zeroSlruPage offsets 7");
    check(record(6, 0x10, 0, main(7)), V16, false, "zeroSlruPage members 7");
    // The last of its page, with members on two pages.
    check(
        record(6, 0x20, 800, main(2047, 1635, 2, 700, 4, 801, 5)),
        V17,
        false,
        "advanceNextXid 800",
        "deriveSlru offsets 0 05ff0f63060000",
        "deriveSlru offsets 1 050065060000",
        "deriveSlru members 0 06e30c01bc02000004",
        "deriveSlru members 1 0600012103000005",
        "advanceNextMulti 2048 1637",
        "advanceNextXid 801");
    // Both circles close.
    check(
        record(6, 0x20, 0, main(-1, -1, 2, 700, 1, 701, 1)),
        V17,
        false,
        "deriveSlru offsets 2097151 05ff0fffffffff",
        "deriveSlru offsets 0 050101000000",
        "deriveSlru members 2625285 068b0801bc02000001",
        "deriveSlru members 0 060001bd02000001",
        "advanceNextMulti 1 1",
        "advanceNextXid 701");
    check(
        record(6, 0x30, 0, main(5, 1, 4097, 1, 3300)),
        V17,
        false,
        "oldestMulti 4097 5",
        "truncateSlru members 2",
        "truncateSlru offsets 2");
    check(
        record(6, 0x30, 0, main(5, 1, 1, 1, 1)),
        V17,
        false,
        "oldestMulti 1 5",
        "truncateSlru members 0",
        "truncateSlru offsets 2097151");
    refuse(record(6, 0x20, 0, main(0, 1, 1, 700, 1)), V17, "multixact 0 at offset 1");
    refuse(record(6, 0x20, 0, main(1, 1, 1, 700, 6)), V17, "multixact member with status 6");
  }

  @Test
  void theRest() {
    check(
        record(7, 0, 0, main(5, 1663, 512, new byte[512])), V15, false, "relationMap 5 1663 512 0");
    check(
        record(7, 0, 0, main(0, 1664, 524, new byte[524])), V16, false, "relationMap 0 1664 524 0");
    refuse(record(7, 0, 0, main(0, 1664, 512, new byte[512])), V16, "a relation map of 512 bytes");
    check(record(8, 0x00, 0, main(1, 700, 5, 9000)), V17, false);
    check(
        record(8, 0x10, 0, main(1, 1, 0, 703, 700, 702, 700, 701)),
        V17,
        false,
        "advanceNextXid 702");
    check(record(8, 0x20, 0, main(5, 1663, 0, 1, 0L, 0L)), V17, false);
    check(
        record(19, 0x00, 0, main(77L, (short) 2, (short) 0, 0)),
        V17,
        false,
        "replicationOrigin 2 77 4096");
    check(record(19, 0x10, 0, main((short) 2)), V17, false, "dropReplicationOrigin 2");
    check(record(21, 0x00, 0, main(5, 0, 3L, 2L, new byte[5])), V17, false);
    refuse(
        record(21, 0x00, 0, main(5, 0, 3L, 3L, new byte[5])), V17, "a message of 3 + 3 in 5 bytes");
    refuse(record(130, 0x00, 0, main()), V17, "resource manager 130 belongs to an extension");
    refuse(record(40, 0x00, 0, main()), V17, "resource manager 40 is not known");
  }

  @Test
  void damagedRecordsAreRedoExceptions() {
    int[] rmids = {0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 19, 21};
    for (int seed = 0; seed < 100_000; seed++) {
      Random random = new Random(seed);
      byte[] main = new byte[random.nextInt(120)];
      for (int i = 0; i < main.length; i++) {
        main[i] = (byte) (random.nextInt(3) == 0 ? random.nextInt(256) : random.nextInt(3));
      }
      WalRecord record =
          record(
              rmids[random.nextInt(rmids.length)],
              random.nextInt(16) << 4,
              random.nextInt(5),
              main);
      try {
        Redo.effects(record, random.nextBoolean() ? V15 : V18, new RecordingEffects(true));
      } catch (RedoException e) {
        // What most of them should be.
      } catch (RuntimeException e) {
        fail("seed " + seed, e);
      }
    }
  }
}
