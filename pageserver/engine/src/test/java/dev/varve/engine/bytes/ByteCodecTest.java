package dev.varve.engine.bytes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.PageserverException;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ByteCodecTest {
  @Test
  void readsWhatWasWritten() {
    ByteWriter out = new ByteWriter(1);
    out.u8(0xFE);
    out.u16(0xFEDC);
    out.i32(-2);
    out.i64(Long.MIN_VALUE);
    out.zeros(3);
    out.bytes(new byte[] {1, 2, 3, 4}, 1, 2);
    out.putI32(3, 77);
    out.i32(2);
    ByteReader in = new ByteReader("test", out.array(), 0, out.length());
    assertEquals(0xFE, in.u8());
    assertEquals(0xFEDC, in.u16());
    assertEquals(77, in.i32());
    assertEquals(Long.MIN_VALUE, in.i64());
    assertArrayEquals(new byte[] {0, 0, 0, 2, 3}, in.bytes(5));
    assertEquals(4, in.remaining());
    assertEquals(2, in.count(2));
    in.end();
    assertEquals(out.length(), in.consumed());
  }

  @Test
  void writesNumbersInGroupsOfSeven() {
    long[] values = {
      0, 1, 127, 128, 16383, 16384, 0xFFFF_FFFFL, Long.MAX_VALUE, -1, Long.MIN_VALUE
    };
    int[] lengths = {1, 1, 1, 2, 2, 3, 5, 9, 10, 10};
    for (int i = 0; i < values.length; i++) {
      ByteWriter out = new ByteWriter();
      out.varint(values[i]);
      assertEquals(lengths[i], out.length());
      ByteReader in = new ByteReader("test", out.toByteArray());
      assertEquals(values[i], in.varint());
      in.end();
    }
  }

  @Test
  void namesWhatDoesNotFit() {
    refuse(new byte[3], ByteReader::i32, "test: at byte 0: need 4 bytes, have 3");
    refuse(
        new byte[] {5, 0, 0, 0},
        in -> in.count(4),
        "test: at byte 0: a count of 5 where at most 4 is possible");
    refuse(new byte[] {-1, -1, -1, -1}, in -> in.count(4), "a count of 4294967295");
    refuse(
        new byte[] {2, 0, 0, 0, 9, 9},
        in -> in.countOf(2),
        "a count of 2 where at most 1 is possible");
    refuse(new byte[] {5, 0}, ByteReader::varintLength, "a length of 5 where 1 bytes are left");
    refuse(new byte[] {(byte) 0x80, 0}, ByteReader::varint, "a number written longer than need be");
    refuse(
        new byte[] {-1, -1, -1, -1, 0x1F}, ByteReader::varintU32, "a number of more than 32 bits");
    refuse(
        new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1, 2},
        ByteReader::varint,
        "a number of more than 64 bits");
    refuse(new byte[1], in -> in.skip(-1), "need 4294967295 bytes, have 1");
    refuse(new byte[1], ByteReader::end, "1 bytes too many");
    assertThrows(IndexOutOfBoundsException.class, () -> new ByteReader("test", new byte[2], 1, 2));
  }

  private static void refuse(byte[] bytes, Consumer<ByteReader> read, String message) {
    PageserverException.Corrupt e =
        assertThrows(
            PageserverException.Corrupt.class, () -> read.accept(new ByteReader("test", bytes)));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void checksumsWithCastagnolisPolynomial() {
    byte[] bytes = "123456789".getBytes(StandardCharsets.US_ASCII);
    assertEquals(0xE3069283, Crc32c.compute(bytes, 0, 9));
    assertEquals(0xE3069283, new Crc32c().of(bytes, 0, 4, 4, 5));
  }
}
