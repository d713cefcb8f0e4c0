package dev.varve.format;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * The envelope of every file and object: a head, the body, a checksum. {@code
 * docs/formats/envelope.md} is its specification. All integers are little-endian.
 *
 * <pre>
 * file := head body crc u32 of everything before
 * head := magic "VARV", kind (4 ASCII characters), version u16, oldestReader u16, flags u32,
 *         keyId u32, crc u32 of the head before
 * </pre>
 *
 * <p>A file that is read by ranges, a layer, has the head alone from here, and what its own end
 * says; all others are sealed and opened whole.
 */
public final class Envelope {
  public static final int HEAD_BYTES = 24;
  public static final int CHECKSUM_BYTES = 4;

  /** Features without which nobody reads the file right; those above may be ignored. */
  public static final int REQUIRED_FLAGS = 0x0000_FFFF;

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private static final byte[] MAGIC = "VARV".getBytes(StandardCharsets.US_ASCII);
  private static final int KIND = 4;
  private static final int VERSION = 8;
  private static final int OLDEST_READER = 10;
  private static final int FLAGS = 12;
  private static final int KEY_ID = 16;
  private static final int CRC = 20;

  private Envelope() {}

  /**
   * What a head says beside the kind.
   *
   * @param version of the format, of what wrote the file
   * @param oldestReader the lowest version that a reader has to know
   * @param flags features; none is defined
   * @param keyId of the key that the body is encrypted with; 0: it is not
   */
  public record Head(int version, int oldestReader, int flags, int keyId) {
    /** As this release writes it. */
    public static Head of(FileKind kind) {
      return new Head(kind.version(), kind.version(), 0, 0);
    }

    /** Whether a newer release wrote it, which may have added to the end of what this one knows. */
    public boolean isNewerThan(FileKind kind) {
      return version > kind.version();
    }
  }

  /** Writes a head of {@link #HEAD_BYTES}. */
  public static void putHead(FileKind kind, Head head, byte[] target, int offset) {
    System.arraycopy(MAGIC, 0, target, offset, MAGIC.length);
    byte[] code = kind.code().getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(code, 0, target, offset + KIND, code.length);
    SHORT.set(target, offset + VERSION, (short) head.version());
    SHORT.set(target, offset + OLDEST_READER, (short) head.oldestReader());
    INT.set(target, offset + FLAGS, head.flags());
    INT.set(target, offset + KEY_ID, head.keyId());
    INT.set(target, offset + CRC, crc(target, offset, CRC));
  }

  /** The whole file of a body. */
  public static byte[] seal(FileKind kind, byte[] body) {
    return seal(kind, Head.of(kind), body);
  }

  /** Likewise, as another release may write it. */
  public static byte[] seal(FileKind kind, Head head, byte[] body) {
    byte[] file = new byte[HEAD_BYTES + body.length + CHECKSUM_BYTES];
    putHead(kind, head, file, 0);
    System.arraycopy(body, 0, file, HEAD_BYTES, body.length);
    int end = HEAD_BYTES + body.length;
    INT.set(file, end, crc(file, 0, end));
    return file;
  }

  /**
   * Checks a whole file, of which the body is then what lies between the first {@link #HEAD_BYTES}
   * and the last {@link #CHECKSUM_BYTES}.
   *
   * @param where its name, for messages
   * @throws FormatException when it cannot be read
   */
  public static Head open(FileKind kind, String where, byte[] file) {
    Head head = head(kind, where, file);
    int end = file.length - CHECKSUM_BYTES;
    if (end < HEAD_BYTES || (int) INT.get(file, end) != crc(file, 0, end)) {
      throw damaged(kind, where, "wrong checksum");
    }
    return head;
  }

  /** The body of a whole file that {@link #open} finds right. */
  public static byte[] body(FileKind kind, String where, byte[] file) {
    var _ = open(kind, where, file);
    return Arrays.copyOfRange(file, HEAD_BYTES, file.length - CHECKSUM_BYTES);
  }

  /**
   * Checks a head, with which {@code bytes} begins, and that this release reads the rest.
   *
   * @throws FormatException when it does not
   */
  public static Head head(FileKind kind, String where, byte[] bytes) {
    if (bytes.length < HEAD_BYTES) {
      throw damaged(kind, where, bytes.length + " bytes are less than a head");
    }
    if (!Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw damaged(kind, where, "it does not begin as a file of Varve's");
    }
    byte last = bytes[VERSION - 1];
    if (last >= '0' && last <= '9') {
      throw tooOld(kind, where, 1); // what there was before envelopes ended its magic in a digit
    }
    if ((int) INT.get(bytes, CRC) != crc(bytes, 0, CRC)) {
      throw damaged(kind, where, "wrong checksum of its head");
    }
    String code = new String(bytes, KIND, VERSION - KIND, StandardCharsets.US_ASCII);
    if (!code.equals(kind.code())) {
      throw damaged(kind, where, "it is a file of another kind, " + code);
    }
    Head head =
        new Head(
            (short) SHORT.get(bytes, VERSION) & 0xFFFF,
            (short) SHORT.get(bytes, OLDEST_READER) & 0xFFFF,
            (int) INT.get(bytes, FLAGS),
            (int) INT.get(bytes, KEY_ID));
    if (head.oldestReader() > kind.version()) {
      throw tooNew(
          kind,
          where,
          "format version "
              + head.version()
              + " is read from version "
              + head.oldestReader()
              + " on, and this release knows "
              + kind.version());
    }
    if ((head.flags() & REQUIRED_FLAGS) != 0) {
      throw tooNew(
          kind,
          where,
          "format version %d with the features %#x, which this release does not know"
              .formatted(head.version(), head.flags() & REQUIRED_FLAGS));
    }
    if (head.keyId() != 0) {
      throw tooNew(
          kind,
          where,
          "it is encrypted, with key "
              + Integer.toUnsignedString(head.keyId())
              + ", which this release cannot");
    }
    if (head.version() < kind.oldestRead()) {
      throw tooOld(kind, where, head.version());
    }
    return head;
  }

  private static FormatException tooNew(FileKind kind, String where, String reason) {
    return new FormatException.TooNew(
        kind.noun()
            + " "
            + where
            + " is too new: "
            + reason
            + ". Run the release that wrote it, or a newer one");
  }

  private static FormatException tooOld(FileKind kind, String where, int version) {
    return new FormatException.TooOld(
        kind.noun()
            + " "
            + where
            + " is too old: it has format version "
            + version
            + ", and this release reads "
            + kind.oldestRead()
            + " to "
            + kind.version()
            + ". Run a release that reads it");
  }

  /** What is wrong with the bytes inside an envelope. */
  public static FormatException damaged(FileKind kind, String where, String reason) {
    return new FormatException.Damaged(
        kind.noun() + " " + where + " is damaged: " + reason + ". Bring back a copy of it");
  }

  private static int crc(byte[] bytes, int offset, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }
}
