package dev.varve.engine.wal;

import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;
import static dev.varve.engine.bytes.LittleEndian.putU16;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.engine.wal.WalBuilder.Written;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WalDecoderTest {
  private static final int SEGMENT = 1 << 20;
  private static final long BASE = 0x1_0000_0000L;

  /** A WAL with records of all sizes, over many pages and some segments. */
  static WalBuilder sample(long seed) {
    Random random = new Random(seed);
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    for (int i = 0; i < 2000; i++) {
      int size =
          switch (random.nextInt(20)) {
            case 0 -> random.nextInt(30_000);
            case 1 -> random.nextInt(9000);
            default -> random.nextInt(200);
          };
      if (i % 500 == 250) {
        wal.append(WalBuilder.record(0, 0x40, 0, new byte[0]));
      } else if (i % 700 == 350) {
        wal.append(WalBuilder.record(0, 0x20, 0, WalBuilder.main(new byte[300_000])));
      } else {
        byte[] main = new byte[size];
        random.nextBytes(main);
        wal.append(WalBuilder.record(10, 0x50, i, WalBuilder.main(main)));
      }
    }
    return wal;
  }

  static WalDecoder decoder() {
    return new WalDecoder(PostgresMajor.V17, SEGMENT, WalBuilder.SYSTEM_IDENTIFIER);
  }

  private static void check(Written expected, WalRecord record, WalDecoder decoder) {
    assertEquals(expected.startLsn(), record.startLsn);
    assertEquals(expected.endLsn(), record.endLsn);
    assertEquals(expected.prevLsn(), record.prevLsn);
    assertEquals(expected.nextLsn(), decoder.nextLsn());
    assertEquals(expected.startLsn(), decoder.previousLsn());
    assertEquals(expected.bytes().length, record.length);
    assertTrue(
        Arrays.equals(
            expected.bytes(),
            expected.bytes().length - record.mainLength,
            expected.bytes().length,
            record.bytes,
            record.mainOffset,
            record.mainOffset + record.mainLength));
  }

  private static int decodeAll(
      WalDecoder decoder,
      byte[] wal,
      long baseLsn,
      long fromLsn,
      List<Written> expected,
      Random random,
      int maxChunk) {
    int from = (int) (fromLsn - baseLsn);
    int index = 0;
    WalRecord record = new WalRecord();
    while (from < wal.length) {
      int count = Math.min(wal.length - from, 1 + random.nextInt(maxChunk));
      byte[] chunk = Arrays.copyOfRange(wal, from, from + count);
      decoder.feed(baseLsn + from, chunk, 0, count);
      while (decoder.next(record)) {
        check(expected.get(index++), record, decoder);
      }
      from += count;
      assertEquals(baseLsn + from, decoder.fedLsn());
    }
    return index;
  }

  @Test
  void decodesInChunksOfAnySize() {
    WalBuilder wal = sample(1);
    Random random = new Random(2);
    for (int maxChunk : new int[] {1, 7, 100, 8192, 131_072, 4 << 20}) {
      WalDecoder decoder = decoder();
      decoder.startAt(BASE, 0);
      assertEquals(
          wal.written().size(),
          decodeAll(decoder, wal.wal(), BASE, BASE, wal.written(), random, maxChunk));
      assertEquals(1, decoder.tli());
    }
  }

  @Test
  void startsAtEveryRecordBoundary() {
    WalBuilder wal = sample(3);
    byte[] bytes = wal.wal();
    Random random = new Random(4);
    for (int i = 1; i < wal.written().size(); i += 37) {
      Written first = wal.written().get(i);
      List<Written> rest = wal.written().subList(i, wal.written().size());
      for (long start : new long[] {first.startLsn(), wal.written().get(i - 1).nextLsn()}) {
        WalDecoder decoder = decoder();
        decoder.startAt(start, (i & 1) == 0 ? WalDecoder.UNKNOWN_PREV : first.prevLsn());
        assertEquals(rest.size(), decodeAll(decoder, bytes, BASE, start, rest, random, 50_000));
      }
    }
  }

  @Test
  void startsInsideEveryPage() {
    WalBuilder wal = sample(5);
    byte[] bytes = wal.wal();
    Random random = new Random(6);
    for (long page = BASE; page < wal.lsn(); page += 3 * WalDecoder.PAGE_SIZE) {
      long pageLsn = page;
      if (bytes[(int) (pageLsn - BASE)] == 0) {
        continue; // behind a segment switch
      }
      List<Written> rest = wal.written().stream().filter(w -> w.startLsn() >= pageLsn).toList();
      WalDecoder decoder = decoder();
      decoder.startInside(pageLsn);
      assertEquals(rest.size(), decodeAll(decoder, bytes, BASE, pageLsn, rest, random, 50_000));
    }
  }

  @Test
  void dropsAnOverwrittenRecord() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[100])));
    wal.appendOverwritten(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[20_000])));
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[20_000])));
    for (int maxChunk : new int[] {1, 1000, 100_000}) {
      WalDecoder decoder = decoder();
      decoder.startAt(BASE, 0);
      assertEquals(
          3, decodeAll(decoder, wal.wal(), BASE, BASE, wal.written(), new Random(7), maxChunk));
    }
  }

  /** A crash leaves a long record unfinished as it does any other. */
  @Test
  void dropsAnOverwrittenLongRecord() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[100])));
    wal.appendOverwritten(WalBuilder.record(1, 0, 1, WalBuilder.main(new byte[9_000_000])));
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[20_000])));
    assertEquals(
        3,
        decodeAll(
            decoder(new MemorySpool()),
            wal.wal(),
            BASE,
            BASE,
            wal.written(),
            new Random(8),
            100_000));
  }

  /** Whatever it was in the middle of. */
  @Test
  void startsAgainInsideALongRecord() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    Written small = wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[100])));
    wal.append(WalBuilder.record(1, 0, 1, WalBuilder.main(new byte[9_000_000])));
    byte[] bytes = wal.wal();
    WalDecoder decoder = decoder(new MemorySpool());
    decoder.feed(BASE, bytes, 0, 50_000);
    WalRecord record = new WalRecord();
    assertTrue(decoder.next(record));
    assertFalse(decoder.next(record));
    decoder.startAt(BASE, 0);
    decoder.feed(BASE, bytes, 0, 50_000);
    assertTrue(decoder.next(record));
    check(small, record, decoder);
  }

  @Test
  void insistsThatTheOverwritingRecordNamesTheOverwrittenOne() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[100])));
    Written overwriting =
        wal.appendOverwritten(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[20_000])));
    byte[] bytes = wal.wal();
    byte[] record = overwriting.bytes().clone();
    record[26]++;
    WalBuilder.seal(record, overwriting.prevLsn());
    System.arraycopy(record, 0, bytes, (int) (overwriting.startLsn() - BASE), record.length);
    assertCorrupt(bytes, "the record does not say that it overwrites the one at 1/A8");
  }

  @Test
  void givesBothEndsOfASegmentSwitch() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(0, 0x40, 0, new byte[0]));
    WalDecoder decoder = decoder();
    decoder.startAt(BASE, 0);
    byte[] bytes = wal.wal();
    decoder.feed(BASE, bytes, 0, bytes.length);
    WalRecord record = new WalRecord();
    assertTrue(decoder.next(record));
    assertEquals(BASE + 64, record.endLsn);
    assertEquals(BASE + SEGMENT, decoder.nextLsn());
    assertFalse(decoder.next(record));
  }

  @Test
  void parsesInPlaceWhatLiesOnOnePage() {
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(10, 0, 1, WalBuilder.main(new byte[100])));
    byte[] bytes = wal.wal();
    WalDecoder decoder = decoder();
    decoder.startAt(BASE, 0);
    decoder.feed(BASE, bytes, 0, bytes.length);
    WalRecord record = new WalRecord();
    assertTrue(decoder.next(record));
    assertSame(bytes, record.bytes);
  }

  @Test
  void refusesMisuse() {
    WalDecoder decoder = decoder();
    byte[] bytes = new byte[100];
    assertThrows(IllegalStateException.class, () -> decoder.feed(0, bytes, 0, 100));
    assertThrows(IllegalArgumentException.class, () -> decoder.startAt(BASE + 4, 0));
    assertThrows(IllegalArgumentException.class, () -> decoder.startAt(BASE + 24, 0));
    assertThrows(IllegalArgumentException.class, () -> decoder.startInside(BASE + 24));
    decoder.startAt(BASE + 40, 0);
    assertThrows(IllegalArgumentException.class, () -> decoder.feed(BASE, bytes, 0, 100));
    assertThrows(IndexOutOfBoundsException.class, () -> decoder.feed(BASE + 40, bytes, 1, 100));
    decoder.feed(BASE + 40, bytes, 0, 100);
    assertThrows(IllegalStateException.class, () -> decoder.feed(BASE + 140, bytes, 0, 100));
    assertThrows(
        IllegalArgumentException.class, () -> new WalDecoder(PostgresMajor.V17, 3 << 20, 0));
  }

  @Test
  void namesWhatIsWrongWithAPageHeader() {
    byte[] wal = sample(8).wal();
    assertCorrupt(
        changed(wal, b -> putU16(b, 0, 0xD113)),
        "WAL at 1/0: page magic D113, PostgreSQL 17 writes D116");
    assertCorrupt(changed(wal, b -> putU16(b, 2, 0x12)), "page flags 0x12");
    assertCorrupt(
        changed(wal, b -> putU16(b, 2, 0x3)), "a record continues on this page, and none began");
    assertCorrupt(changed(wal, b -> putU16(b, 2, 0)), "a segment begins with a short page header");
    assertCorrupt(changed(wal, b -> putI32(b, 4, 0)), "timeline 0 after timeline 0");
    assertCorrupt(changed(wal, b -> putI64(b, 8, 8192)), "the page says it is at 0/2000");
    assertCorrupt(changed(wal, b -> putI64(b, 24, 5)), "the WAL is of system 5, this cluster is");
    assertCorrupt(changed(wal, b -> putI32(b, 32, 5)), "segments of 5 instead of 1048576 bytes");
    assertCorrupt(changed(wal, b -> putI32(b, 36, 16384)), "WAL pages of 16384 bytes");
    assertCorrupt(
        changed(wal, b -> putU16(b, 8192 + 2, 2)),
        "WAL at 1/2000: a long page header within a segment");
    assertCorrupt(changed(wal, b -> putU16(b, 8192 + 2, 0)), "does not continue on it");
    assertCorrupt(
        changed(wal, b -> putI32(b, 8192 + 16, 9)), "a record continues for 9 bytes where");
  }

  @Test
  void namesWhatIsWrongWithARecord() {
    byte[] wal = sample(8).wal();
    assertCorrupt(changed(wal, b -> putI32(b, 40, 0)), "WAL at 1/28: no record: zeros");
    assertCorrupt(changed(wal, b -> putI32(b, 40, 23)), "record length 23 is out of range");
    assertCorrupt(changed(wal, b -> putI32(b, 40, -1)), "record length 4294967295 is out of range");
    assertCorrupt(
        changed(wal, b -> putI64(b, 48, 77)), "names 0/4D as the one before it, which is at 0/0");
    assertCorrupt(changed(wal, b -> b[57] = 22), "resource manager 22 is not defined");
    assertCorrupt(changed(wal, b -> b[70]++), "checksum of the record does not match");
    WalDecoder decoder = decoder();
    decoder.startAt(BASE, WalDecoder.UNKNOWN_PREV);
    byte[] ahead = changed(wal, b -> putI64(b, 48, BASE + 40));
    decoder.feed(BASE, ahead, 0, ahead.length);
    assertThrows(PageserverException.Corrupt.class, () -> decoder.next(new WalRecord()));
  }

  @Test
  void staysBrokenUntilStartedAgain() {
    byte[] wal = sample(8).wal();
    byte[] bad = changed(wal, b -> b[70]++);
    WalDecoder decoder = decoder();
    decoder.startAt(BASE, 0);
    decoder.feed(BASE, bad, 0, bad.length);
    WalRecord record = new WalRecord();
    assertThrows(PageserverException.Corrupt.class, () -> decoder.next(record));
    assertThrows(PageserverException.Corrupt.class, () -> decoder.next(record));
    decoder.startAt(BASE, 0);
    decoder.feed(BASE, wal, 0, wal.length);
    assertTrue(decoder.next(record));
  }

  /** Of a long record memory has the beginning; a transaction's end is spooled as well. */
  @Test
  void longRecords() {
    byte[] main = new byte[9_000_000];
    new Random(9).nextBytes(main);
    WalBuilder wal = new WalBuilder(PostgresMajor.V17, SEGMENT, BASE);
    wal.append(WalBuilder.record(21, 0, 0, WalBuilder.main(main)));
    wal.append(WalBuilder.record(1, 0x80, 7, WalBuilder.main(main)));
    wal.append(WalBuilder.record(1, 0x60, 8, WalBuilder.main(main)));
    wal.append(WalBuilder.record(0, 0x20, 0, new byte[0]));
    byte[] bytes = wal.wal();
    MemorySpool spool = new MemorySpool();
    WalRecord record = new WalRecord();
    WalDecoder decoder = decoder(spool);
    for (boolean spooled : new boolean[] {false, true, false}) {
      next(decoder, record, bytes);
      assertEquals(main.length, record.mainLength);
      assertEquals(
          0,
          Arrays.compare(
              main,
              0,
              record.mainKept(),
              record.bytes,
              record.mainOffset,
              record.mainOffset + record.mainKept()));
      assertTrue(record.mainKept() < main.length && record.mainKept() > 5_000_000);
      assertTrue(record.bytes.length < 6_000_000);
      if (spooled) {
        byte[] copy = new byte[main.length];
        new MainData(record).copyTo(copy);
        assertArrayEquals(main, copy);
      } else {
        assertThrows(PageserverException.Corrupt.class, () -> new MainData(record));
      }
    }
    next(decoder, record, bytes);
    assertEquals(0, record.mainLength);
    assertEquals(1, spool.begun);
    // One damaged byte far behind what is kept, of a record that is spooled and one that is not.
    for (int at : new int[] {8_500_000, 17_500_000}) {
      byte[] bad = changed(bytes, b -> b[at]++);
      PageserverException.Corrupt e =
          assertThrows(
              PageserverException.Corrupt.class,
              () -> {
                WalDecoder other = decoder(new MemorySpool());
                for (int i = 0; i < 4; i++) {
                  next(other, record, bad);
                }
              });
      assertTrue(e.getMessage().contains("checksum of the record"), e.getMessage());
    }
  }

  private static WalDecoder decoder(RecordSpool spool) {
    WalDecoder decoder =
        new WalDecoder(PostgresMajor.V17, SEGMENT, WalBuilder.SYSTEM_IDENTIFIER, spool);
    decoder.startAt(BASE, 0);
    return decoder;
  }

  /** The next record, of WAL that comes in odd pieces. */
  private static void next(WalDecoder decoder, WalRecord record, byte[] bytes) {
    while (!decoder.next(record)) {
      int at = (int) (decoder.fedLsn() - BASE);
      decoder.feed(decoder.fedLsn(), bytes, at, Math.min(100_003, bytes.length - at));
    }
  }

  /** In memory, where a test has enough of it. */
  private static final class MemorySpool implements RecordSpool {
    private final ByteWriter contents = new ByteWriter();
    private int begun;

    @Override
    public void begin() {
      begun++;
      contents.reset();
    }

    @Override
    public void append(byte[] bytes, int offset, int length) {
      contents.bytes(bytes, offset, length);
    }

    @Override
    public MemorySegment contents() {
      return MemorySegment.ofArray(contents.toByteArray());
    }
  }

  private static byte[] changed(byte[] wal, java.util.function.Consumer<byte[]> change) {
    byte[] copy = wal.clone();
    change.accept(copy);
    return copy;
  }

  private static void assertCorrupt(byte[] wal, String message) {
    WalDecoder decoder = decoder();
    decoder.startAt(BASE, 0);
    decoder.feed(BASE, wal, 0, wal.length);
    WalRecord record = new WalRecord();
    PageserverException.Corrupt e =
        assertThrows(
            PageserverException.Corrupt.class,
            () -> {
              while (decoder.next(record)) {
                assertTrue(record.startLsn >= BASE);
              }
            });
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
