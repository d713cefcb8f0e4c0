package dev.varve.engine.layer;

import static dev.varve.engine.bytes.LittleEndian.putU16;
import static dev.varve.engine.bytes.LittleEndian.u16;

import dev.varve.engine.PageserverException;
import dev.varve.engine.postgres.Page;
import java.util.Arrays;

/**
 * A whole page with its largest useful run of zeros cut out: u16 offset and u16 length of the hole,
 * then the bytes before and behind it. The hole lies between {@code pd_lower} and {@code pd_upper}
 * and is cut only where it is zero, so that pages come back byte for byte.
 */
public final class ImagePage {
  /** The longest encoding: no hole. */
  public static final int MAX_BYTES = Page.SIZE + 4;

  private ImagePage() {}

  /** Encodes {@code page} into {@code target}; returns the length, 0 for a page of zeros. */
  public static int encode(byte[] page, byte[] target) {
    int lower = Page.lower(page);
    int upper = Page.upper(page);
    int start = 0;
    int end = 0;
    if (lower < upper && upper <= Page.SIZE) {
      end = upper;
      start = upper;
      while (start > lower && page[start - 1] == 0) {
        start--;
      }
    } else if (isZero(page)) {
      return 0;
    }
    putU16(target, 0, start);
    putU16(target, 2, end - start);
    System.arraycopy(page, 0, target, 4, start);
    System.arraycopy(page, end, target, 4 + start, Page.SIZE - end);
    return 4 + start + Page.SIZE - end;
  }

  private static boolean isZero(byte[] page) {
    for (int i = 0; i < Page.SIZE; i++) {
      if (page[i] != 0) {
        return false;
      }
    }
    return true;
  }

  /**
   * The inverse of {@link #encode}.
   *
   * @throws PageserverException.Corrupt when the lengths do not make a page
   */
  public static void decode(byte[] bytes, int offset, int length, byte[] page) {
    int start = length < 4 ? Page.SIZE + 1 : u16(bytes, offset);
    int hole = length < 4 ? 0 : u16(bytes, offset + 2);
    if (start + hole > Page.SIZE || length != 4 + Page.SIZE - hole) {
      throw new PageserverException.Corrupt("a page image of " + length + " bytes is none");
    }
    System.arraycopy(bytes, offset + 4, page, 0, start);
    Arrays.fill(page, start, start + hole, (byte) 0);
    System.arraycopy(bytes, offset + 4 + start, page, start + hole, Page.SIZE - start - hole);
  }
}
