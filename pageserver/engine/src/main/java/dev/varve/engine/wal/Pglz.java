package dev.varve.engine.wal;

/**
 * PostgreSQL's own LZ compression, the decoding half. A control byte tells of eight items, low bit
 * first: 0 is one literal byte, 1 a copy of earlier output: {@code llll oooo, oooo oooo} with the
 * offset's high bits in the first byte's high nibble, length − 3 in its low nibble, and one more
 * length byte when that nibble is 15. Follows PostgreSQL 17 {@code pglz_decompress} in {@code
 * src/common/pg_lzcompress.c}.
 */
final class Pglz {
  private static final int LONGEST_SHORT_COPY = 18;

  private Pglz() {}

  /**
   * Decodes {@code source} to exactly {@code targetLength} bytes at the start of {@code target}.
   *
   * @return whether the input was sound and gave exactly that many bytes with nothing left over
   */
  static boolean decompress(
      byte[] source, int offset, int length, byte[] target, int targetLength) {
    int in = offset;
    int inEnd = offset + length;
    int out = 0;
    while (in < inEnd && out < targetLength) {
      int control = source[in++] & 0xFF;
      for (int item = 0; item < 8 && in < inEnd && out < targetLength; item++, control >>>= 1) {
        if ((control & 1) == 0) {
          target[out++] = source[in++];
          continue;
        }
        if (inEnd - in < 2) {
          return false;
        }
        int copyLength = (source[in] & 0x0F) + 3;
        int copyOffset = (source[in] & 0xF0) << 4 | source[in + 1] & 0xFF;
        in += 2;
        if (copyLength == LONGEST_SHORT_COPY) {
          if (in == inEnd) {
            return false;
          }
          copyLength += source[in++] & 0xFF;
        }
        if (copyOffset == 0 || copyOffset > out) {
          return false;
        }
        copyLength = Math.min(copyLength, targetLength - out);
        // Byte by byte where the copy overlaps itself: it then repeats what it has just written.
        if (copyOffset >= copyLength) {
          System.arraycopy(target, out - copyOffset, target, out, copyLength);
          out += copyLength;
        } else {
          for (int last = out + copyLength; out < last; out++) {
            target[out] = target[out - copyOffset];
          }
        }
      }
    }
    return in == inEnd && out == targetLength;
  }
}
