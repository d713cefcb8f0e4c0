package dev.varve.engine.wal;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.varve.engine.PageserverException;
import dev.varve.engine.bytes.ByteWriter;
import dev.varve.engine.postgres.PostgresMajor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Malformed WAL ends in {@link PageserverException.Corrupt}: never in another exception, an endless
 * loop or a large allocation.
 */
class WalDecoderFuzzTest {
  private static final int SEGMENT = 1 << 20;

  @Test
  void damagedWal() {
    for (int seed = 0; seed < 400; seed++) {
      Random random = new Random(seed);
      WalBuilder builder = new WalBuilder(PostgresMajor.V16, SEGMENT, 3L * SEGMENT);
      for (int i = 0; i < 60; i++) {
        builder.append(randomRecord(random));
      }
      byte[] wal = builder.wal();
      for (int changes = random.nextInt(4); changes >= 0; changes--) {
        int at = random.nextInt(wal.length);
        switch (random.nextInt(3)) {
          case 0 -> wal[at] ^= (byte) (1 << random.nextInt(8));
          case 1 -> wal[at] = (byte) random.nextInt(256);
          default -> {
            int length = Math.min(wal.length - at, random.nextInt(20));
            System.arraycopy(wal, random.nextInt(wal.length - length + 1), wal, at, length);
          }
        }
      }
      decode(seed, random, wal, builder.baseLsn());
    }
  }

  @Test
  void damagedRecordsWithSoundChecksums() {
    int corrupt = 0;
    for (int seed = 0; seed < 20_000; seed++) {
      Random random = new Random(seed);
      byte[] record = randomRecord(random);
      int headers = Math.min(record.length - 24, 60);
      for (int changes = random.nextInt(3); changes >= 0 && headers > 0; changes--) {
        record[24 + random.nextInt(headers)] = (byte) random.nextInt(256);
      }
      WalRecord parsed = new WalRecord();
      try {
        RecordParser.parse(record, 0, record.length, 8, 16, parsed);
        checkRanges(parsed, record.length);
        for (int id = 0; id <= parsed.maxBlockId; id++) {
          if (parsed.hasBlock(id) && parsed.hasImage(id)) {
            FullPageImage.restore(parsed, id, new byte[8192]);
          }
        }
      } catch (PageserverException.Corrupt e) {
        corrupt++;
      } catch (RuntimeException e) {
        fail("seed " + seed, e);
      }
    }
    assertTrue(corrupt > 1000, corrupt + " were found corrupt");
  }

  @Test
  void damagedSlimRecords() {
    for (int seed = 0; seed < 20_000; seed++) {
      Random random = new Random(seed);
      byte[] record = randomRecord(random);
      WalRecord parsed = new WalRecord();
      RecordParser.parse(record, 0, record.length, 8, 16, parsed);
      if (parsed.maxBlockId < 0) {
        continue;
      }
      ByteWriter out = new ByteWriter();
      BlockRecord.encode(parsed, parsed.maxBlockId, parsed.mainLength, false, out);
      byte[] slim = out.toByteArray();
      int length = random.nextInt(3) == 0 ? random.nextInt(slim.length + 1) : slim.length;
      for (int changes = random.nextInt(3); changes > 0; changes--) {
        slim[random.nextInt(Math.min(40, slim.length))] = (byte) random.nextInt(256);
      }
      try {
        int target = BlockRecord.decode(slim, 0, length, 16, parsed);
        checkRanges(parsed, length);
        assertTrue(parsed.hasBlock(target));
      } catch (PageserverException.Corrupt e) {
        // What most of them should be.
      } catch (RuntimeException e) {
        fail("seed " + seed, e);
      }
      parsed.clear();
      for (int id = 0; id < WalRecord.MAX_BLOCKS; id++) {
        assertTrue(!parsed.blockPresent[id] && parsed.blockFlags[id] == 0, "seed " + seed);
      }
    }
  }

  private static void checkRanges(WalRecord record, int length) {
    assertTrue(record.mainOffset >= 0 && record.mainLength >= 0);
    assertTrue(record.mainOffset + record.mainLength <= length);
    for (int id = 0; id <= record.maxBlockId; id++) {
      if (record.blockPresent[id]) {
        assertTrue(record.blockDataOffset[id] + record.blockDataLength[id] <= length);
        assertTrue(record.blockImageOffset[id] + record.blockImageLength[id] <= length);
      }
    }
  }

  private static void decode(int seed, Random random, byte[] wal, long baseLsn) {
    WalDecoder decoder = new WalDecoder(PostgresMajor.V16, SEGMENT, 0);
    if (random.nextBoolean()) {
      decoder.startInside(baseLsn);
    } else {
      decoder.startAt(baseLsn, WalDecoder.UNKNOWN_PREV);
    }
    WalRecord record = new WalRecord();
    int at = 0;
    try {
      while (at < wal.length) {
        int count = Math.min(wal.length - at, 1 + random.nextInt(20_000));
        decoder.feed(baseLsn + at, wal, at, count);
        at += count;
        while (decoder.next(record)) {
          checkRanges(record, record.bytes.length);
        }
      }
    } catch (PageserverException.Corrupt e) {
      assertTrue(e.getMessage().contains("/"), e.getMessage());
    } catch (RuntimeException e) {
      fail("seed " + seed, e);
    }
  }

  /** A well-formed record with blocks, images of all kinds, data, origin and main data. */
  static byte[] randomRecord(Random random) {
    ByteWriter headers = new ByteWriter();
    ByteWriter data = new ByteWriter();
    int blocks = random.nextInt(5);
    int id = 0;
    for (int i = 0; i < blocks; i++) {
      id += i == 0 ? 0 : 1 + random.nextInt(3);
      boolean same = i > 0 && random.nextBoolean();
      boolean image = random.nextInt(4) == 0;
      int dataLength = random.nextBoolean() ? 0 : 1 + random.nextInt(300);
      headers.u8(id);
      headers.u8(
          random.nextInt(4)
              | (image ? 0x10 : 0)
              | (dataLength > 0 ? 0x20 : 0)
              | (random.nextInt(4) == 0 ? 0x40 : 0)
              | (same ? 0x80 : 0));
      headers.u16(dataLength);
      if (image) {
        image(random, headers, data);
      }
      data.bytes(randomBytes(random, dataLength));
      if (!same) {
        headers.i32(1663);
        headers.i32(5);
        headers.i32(random.nextInt());
      }
      headers.i32(random.nextInt(1000));
    }
    if (random.nextInt(5) == 0) {
      headers.u8(253);
      headers.u16(3);
    }
    if (random.nextInt(5) == 0) {
      headers.u8(252);
      headers.i32(99);
    }
    int mainLength = random.nextInt(8) == 0 ? random.nextInt(20_000) : random.nextInt(60);
    if (mainLength > 255) {
      headers.u8(254);
      headers.i32(mainLength);
    } else if (mainLength > 0) {
      headers.u8(255);
      headers.u8(mainLength);
    }
    headers.bytes(data.toByteArray());
    headers.bytes(randomBytes(random, mainLength));
    return WalBuilder.record(
        10, 0x10 * random.nextInt(16), random.nextInt(), headers.toByteArray());
  }

  private static void image(Random random, ByteWriter headers, ByteWriter data) {
    boolean hole = random.nextBoolean();
    int holeOffset = hole ? 24 + random.nextInt(1000) : 0;
    int holeLength = hole ? 1 + random.nextInt(7000) : 0;
    int plain = 8192 - holeLength;
    int compression = random.nextInt(4);
    int length = compression == 0 ? plain : 1 + random.nextInt(100);
    headers.u16(length);
    headers.u16(holeOffset);
    headers.u8(
        (hole ? 1 : 0)
            | (random.nextBoolean() ? 2 : 0)
            | (compression == 0 ? 0 : 2 << compression));
    if (hole && compression != 0) {
      headers.u16(holeLength);
    }
    data.bytes(randomBytes(random, length));
  }

  private static byte[] randomBytes(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }
}
