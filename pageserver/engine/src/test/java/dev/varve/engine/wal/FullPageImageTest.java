package dev.varve.engine.wal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.Zstd;
import dev.varve.engine.PageserverException;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;
import net.jpountz.lz4.LZ4Factory;
import org.junit.jupiter.api.Test;

class FullPageImageTest {
  private static final int HOLE_OFFSET = 100;
  private static final int HOLE_LENGTH = 3000;

  private static byte[] page(boolean hole) {
    byte[] page = new byte[8192];
    Random random = new Random(1);
    for (int i = 0; i < page.length; i++) {
      boolean inHole = hole && i >= HOLE_OFFSET && i < HOLE_OFFSET + HOLE_LENGTH;
      page[i] = inHole ? 0 : (byte) random.nextInt(3);
    }
    return page;
  }

  private static byte[] withoutHole(byte[] page, boolean hole) {
    if (!hole) {
      return page;
    }
    byte[] plain = new byte[8192 - HOLE_LENGTH];
    System.arraycopy(page, 0, plain, 0, HOLE_OFFSET);
    System.arraycopy(
        page, HOLE_OFFSET + HOLE_LENGTH, plain, HOLE_OFFSET, plain.length - HOLE_OFFSET);
    return plain;
  }

  private static WalRecord record(int compression, boolean hole, byte[] image) {
    WalRecord record = new WalRecord();
    record.bytes = new byte[image.length + 14];
    System.arraycopy(image, 0, record.bytes, 7, image.length);
    record.maxBlockId = 0;
    record.blockPresent[0] = true;
    record.blockImageOffset[0] = 7;
    record.blockImageLength[0] = image.length;
    record.blockImageHoleOffset[0] = hole ? HOLE_OFFSET : 0;
    record.blockImageHoleLength[0] = hole ? HOLE_LENGTH : 0;
    record.blockImageCompression[0] = compression;
    return record;
  }

  private static byte[] compress(int compression, byte[] plain) {
    return switch (compression) {
      case FullPageImage.COMPRESSION_PGLZ -> pglz(plain);
      case FullPageImage.COMPRESSION_LZ4 ->
          LZ4Factory.fastestInstance().fastCompressor().compress(plain);
      case FullPageImage.COMPRESSION_ZSTD -> Zstd.compress(plain);
      default -> plain;
    };
  }

  /** A simple compressor into pglz's form: longest match at the nearest offsets. */
  static byte[] pglz(byte[] plain) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int at = 0;
    while (at < plain.length) {
      int control = 0;
      ByteArrayOutputStream items = new ByteArrayOutputStream();
      for (int item = 0; item < 8 && at < plain.length; item++) {
        int best = 0;
        int bestOffset = 0;
        for (int offset = 1; offset <= Math.min(at, 4095) && best < 273; offset++) {
          int length = 0;
          while (length < 273
              && at + length < plain.length
              && plain[at + length] == plain[at + length - offset]) {
            length++;
          }
          if (length > best) {
            best = length;
            bestOffset = offset;
          }
        }
        if (best < 3) {
          items.write(plain[at++]);
          continue;
        }
        control |= 1 << item;
        items.write(Math.min(best - 3, 15) | bestOffset >> 8 << 4);
        items.write(bestOffset);
        if (best >= 18) {
          items.write(best - 18);
        }
        at += best;
      }
      out.write(control);
      out.writeBytes(items.toByteArray());
    }
    return out.toByteArray();
  }

  @Test
  void restoresEveryKind() {
    for (int compression = 0; compression <= 3; compression++) {
      for (boolean hole : new boolean[] {false, true}) {
        byte[] expected = page(hole);
        byte[] page = new byte[8192];
        Arrays.fill(page, (byte) 0x55);
        FullPageImage.restore(
            record(compression, hole, compress(compression, withoutHole(expected, hole))), 0, page);
        assertArrayEquals(expected, page, "compression " + compression);
      }
    }
  }

  @Test
  void refusesImagesOfTheWrongLength() {
    for (int compression = 1; compression <= 3; compression++) {
      byte[] longer = compress(compression, page(false));
      byte[] shorter = compress(compression, Arrays.copyOf(page(false), 5000));
      byte[] cut = Arrays.copyOf(longer, longer.length - 20);
      for (WalRecord record :
          new WalRecord[] {
            record(compression, true, longer),
            record(compression, true, shorter),
            record(compression, false, cut)
          }) {
        PageserverException.Corrupt e =
            assertThrows(
                PageserverException.Corrupt.class,
                () -> FullPageImage.restore(record, 0, new byte[8192]));
        assertTrue(e.getMessage().contains("the image of block 0 is "), e.getMessage());
      }
    }
    assertThrows(
        PageserverException.Corrupt.class,
        () -> FullPageImage.restore(record(0, false, new byte[0]), 0, new byte[8192]));
  }

  @Test
  void pglzGolden() {
    // Control 0x08: three literals, then a copy of length 3 + 15 + 2 from 3 back.
    byte[] packed = {0x08, 'a', 'b', 'c', 0x0F, 0x03, 0x02};
    byte[] target = new byte[23];
    assertTrue(Pglz.decompress(packed, 0, packed.length, target, 23));
    assertEquals(
        "abcabcabcabcabcabcabcab", new String(target, java.nio.charset.StandardCharsets.US_ASCII));
    assertFalse(Pglz.decompress(packed, 0, packed.length, new byte[24], 24));
    assertFalse(Pglz.decompress(packed, 0, 6, target, 23));
    assertFalse(Pglz.decompress(packed, 0, 5, target, 23));
    assertFalse(Pglz.decompress(new byte[] {0x02, 'a', 0x00, 0x02}, 0, 4, target, 23));
    assertFalse(Pglz.decompress(new byte[] {0x02, 'a', 0x00, 0x00}, 0, 4, target, 23));
  }
}
