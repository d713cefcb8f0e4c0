package dev.varve.compute.image;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Reads the tar stream of a thin image, entry by entry; the bytes that it gives are the current
 * entry's. It knows what a pageserver writes and refuses all else: POSIX headers, files and
 * directories, names of up to 100 bytes (255 with a prefix), sizes in octal.
 *
 * <pre>
 * stream  = entry* zeros[1024] ...
 * entry   = header content padding-to-512
 * header  = name[100] mode[8] uid[8] gid[8] size[12] mtime[12] checksum[8] type[1] link[100]
 *           "ustar" NUL "00" owner[32] group[32] device[16] prefix[155] zeros[12]
 * </pre>
 *
 * <p>The general reader of a library costs a compute's start more than all of its files do. Source:
 * POSIX.1-2017, pax, ustar interchange format. Not thread-safe.
 */
final class TarReader extends InputStream {
  private static final int BLOCK_BYTES = 512;
  private static final int NAME_BYTES = 100;
  private static final int SIZE = 124;
  private static final int SIZE_BYTES = 12;
  private static final int CHECKSUM = 148;
  private static final int CHECKSUM_BYTES = 8;
  private static final int TYPE = 156;
  private static final int MAGIC = 257;
  private static final int PREFIX = 345;
  private static final int PREFIX_BYTES = 155;

  /** An entry of the stream; the size of a directory is 0. */
  record Entry(String name, boolean directory, long bytes) {}

  private final InputStream from;
  private final byte[] block = new byte[BLOCK_BYTES];
  private long left;
  private int padding;

  TarReader(InputStream from) {
    this.from = from;
  }

  /**
   * The next entry, with what was not read of the last one skipped; null at the end of the stream,
   * all of which is read then.
   *
   * @throws IOException when the stream breaks off, or holds what is not expected
   */
  @Nullable Entry next() throws IOException {
    from.skipNBytes(left + padding);
    left = 0;
    padding = 0;
    readBlock();
    if (isZero()) {
      readBlock();
      if (!isZero()) {
        throw new IOException("the image's tar stream goes on behind its end");
      }
      from.transferTo(OutputStream.nullOutputStream());
      return null;
    }
    if (number(CHECKSUM, CHECKSUM_BYTES) != checksum()) {
      throw new IOException("a header of the image's tar stream has a wrong checksum");
    }
    if (!text(MAGIC, 5).equals("ustar")) {
      throw new IOException("the image is not a POSIX tar stream");
    }
    String prefix = text(PREFIX, PREFIX_BYTES);
    String name = text(0, NAME_BYTES);
    name = prefix.isEmpty() ? name : prefix + "/" + name;
    boolean directory =
        switch (block[TYPE]) {
          case '0', 0 -> false;
          case '5' -> true;
          default ->
              throw new IOException(
                  "the image holds " + name + ", which is neither file nor directory");
        };
    left = number(SIZE, SIZE_BYTES);
    if (directory && left != 0) {
      throw new IOException("the image holds the directory " + name + " with content");
    }
    padding = (int) (-left & (BLOCK_BYTES - 1));
    return new Entry(name, directory, left);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public int read(byte[] into, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    if (left == 0) {
      return -1;
    }
    int got = from.read(into, offset, (int) Math.min(length, left));
    if (got < 0) {
      throw new EOFException("the image's tar stream breaks off");
    }
    left -= got;
    return got;
  }

  private void readBlock() throws IOException {
    if (from.readNBytes(block, 0, BLOCK_BYTES) != BLOCK_BYTES) {
      throw new EOFException("the image's tar stream breaks off");
    }
  }

  private boolean isZero() {
    for (byte b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  /** The sum of the header's bytes, the checksum's own taken for spaces. */
  private long checksum() {
    long sum = 0;
    for (int i = 0; i < BLOCK_BYTES; i++) {
      boolean own = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_BYTES;
      sum += own ? ' ' : block[i] & 0xFF;
    }
    return sum;
  }

  private String text(int at, int most) {
    int end = at;
    while (end < at + most && block[end] != 0) {
      end++;
    }
    return new String(block, at, end - at, StandardCharsets.UTF_8);
  }

  /** Octal digits, with spaces before and a space or NUL behind them. */
  private long number(int at, int most) throws IOException {
    long value = 0;
    boolean digits = false;
    for (int i = at; i < at + most; i++) {
      byte b = block[i];
      if (b >= '0' && b <= '7') {
        value = value << 3 | b - '0';
        digits = true;
      } else if (b == 0 || b == ' ') {
        if (digits) {
          return value;
        }
      } else {
        throw new IOException("a header of the image's tar stream holds a malformed number");
      }
    }
    return value;
  }
}
