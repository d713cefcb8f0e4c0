package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.varve.engine.bytes.LittleEndian;
import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalRecord;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Malformed records on malformed pages end in {@link RedoException}, whatever the resource manager:
 * never in another exception, an endless loop or a large allocation.
 */
class RedoFuzzTest {
  private static final int RUNS_PER_INFO = 400;

  @Test
  void malformedRecordsOnMalformedPages() {
    int failed = 0;
    for (int rmid = 0; rmid < 22; rmid++) {
      for (int info = 0; info < 256; info += 16) {
        int manager = rmid;
        int infoBits = info;
        failed +=
            assertTimeoutPreemptively(
                Duration.ofSeconds(20),
                () -> runs(manager, infoBits),
                () -> "resource manager " + manager + " info 0x" + Integer.toHexString(infoBits));
      }
    }
    assertTrue(failed > 1000, failed + " were refused");
  }

  private static int runs(int rmid, int info) {
    int failed = 0;
    byte[] page = new byte[Page.SIZE];
    for (int run = 0; run < RUNS_PER_INFO; run++) {
      int seed = (rmid << 8 | info) * RUNS_PER_INFO + run;
      Random random = new Random(seed);
      randomPage(random, page);
      WalRecord record = randomRecord(random, rmid, info);
      PostgresMajor[] majors = PostgresMajor.values();
      RedoContext context =
          new RedoContext(majors[random.nextInt(majors.length)], random.nextBoolean());
      try {
        Redo.apply(record, random.nextInt(record.maxBlockId + 1), true, page, context);
        Redo.effects(record, context, new RecordingEffects(true));
      } catch (RedoException e) {
        failed++;
      } catch (Throwable e) {
        fail(
            "seed " + seed + ": resource manager " + rmid + " info 0x" + Integer.toHexString(info),
            e);
      }
    }
    return failed;
  }

  private static WalRecord randomRecord(Random random, int rmid, int info) {
    int mainLength = random.nextInt(80);
    WalRecord record = EffectsTest.record(rmid, info, random.nextInt(1000), new byte[0]);
    record.bytes = new byte[mainLength + 400];
    fill(random, record.bytes, 0, record.bytes.length);
    record.mainLength = mainLength;
    record.maxBlockId = random.nextInt(6);
    for (int id = 0; id <= record.maxBlockId; id++) {
      record.blockPresent[id] = random.nextInt(8) != 0;
      record.blockFlags[id] = random.nextInt(4) == 0 ? WalRecord.WILL_INIT : 0;
      record.blockFork[id] = random.nextInt(10) == 0 ? 2 : 0;
      record.blockNumber[id] = random.nextInt(50_000);
      record.blockDataOffset[id] = mainLength;
      record.blockDataLength[id] = random.nextInt(400);
    }
    return record;
  }

  /** Small numbers mostly: those get furthest. */
  private static void fill(Random random, byte[] bytes, int from, int to) {
    int wild = random.nextInt(20) + 1;
    for (int at = from; at < to; at++) {
      bytes[at] = (byte) (random.nextInt(wild) == 0 ? random.nextInt(256) : random.nextInt(3));
    }
  }

  /** A page with header, line pointers and a special area that are more or less sound. */
  private static void randomPage(Random random, byte[] page) {
    Page.init(page, random.nextInt(3) * 8);
    int items = random.nextInt(20);
    int upper = Page.special(page);
    for (int item = 1; item <= items; item++) {
      int length = 8 + random.nextInt(60);
      upper -= (length + 7) & ~7;
      LittleEndian.putU32(
          page,
          Page.itemIdOffset(item),
          upper | (long) random.nextInt(4) << 15 | (long) length << 17);
    }
    LittleEndian.putU16(page, Page.LOWER, Page.itemIdOffset(items + 1));
    LittleEndian.putU16(page, Page.UPPER, upper);
    fill(random, page, upper, Page.SIZE);
    for (int changes = random.nextInt(4); changes > 0; changes--) {
      page[random.nextInt(random.nextBoolean() ? 120 : Page.SIZE)] = (byte) random.nextInt(256);
    }
  }
}
