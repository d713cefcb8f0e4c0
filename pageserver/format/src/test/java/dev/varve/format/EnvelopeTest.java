package dev.varve.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.format.Envelope.Head;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class EnvelopeTest {
  private static final byte[] BODY = {1, 2, 3, 4, 5};
  private static final int KNOWN = FileKind.LABEL.version();

  private static byte[] sealed(int version, int oldestReader, int flags, int keyId) {
    return Envelope.seal(FileKind.LABEL, new Head(version, oldestReader, flags, keyId), BODY);
  }

  private static <T extends FormatException> T refused(Class<T> kind, byte[] file) {
    T e = assertThrows(kind, () -> Envelope.open(FileKind.LABEL, "labels/7", file));
    assertTrue(String.valueOf(e.getMessage()).startsWith("label of a timeline labels/7 is "));
    return e;
  }

  @Test
  void theBodyComesBack() {
    byte[] file = Envelope.seal(FileKind.LABEL, BODY);
    assertArrayEquals(BODY, Envelope.body(FileKind.LABEL, "labels/7", file));
    assertEquals(Head.of(FileKind.LABEL), Envelope.open(FileKind.LABEL, "labels/7", file));
    assertArrayEquals(
        new byte[0],
        Envelope.body(FileKind.LABEL, "e", Envelope.seal(FileKind.LABEL, new byte[0])));
  }

  @Test
  void everyDamagedByteAndEveryMissingOneIsFound() {
    byte[] file = Envelope.seal(FileKind.LABEL, BODY);
    for (int at = 0; at < file.length; at++) {
      byte[] damaged = file.clone();
      damaged[at] ^= (byte) 0x80;
      refused(FormatException.Damaged.class, damaged);
    }
    for (int length = 0; length < file.length; length++) {
      refused(FormatException.Damaged.class, Arrays.copyOf(file, length));
    }
    refused(FormatException.Damaged.class, Arrays.copyOf(file, file.length + 1));
  }

  @Test
  void aFileOfANewerFormatIsTooNewAndSaysSo() {
    String message =
        String.valueOf(
            refused(FormatException.TooNew.class, sealed(KNOWN + 2, KNOWN + 1, 0, 0)).getMessage());
    for (String said :
        new String[] {
          "too new", "format version " + (KNOWN + 2), "knows " + KNOWN, "Run the release"
        }) {
      assertTrue(message.contains(said), message);
    }
  }

  /** Damage is not what keeps it from being read: whoever brings back a copy gains nothing. */
  @Test
  void whatIsTooNewIsThatWhateverItsBodyIs() {
    byte[] file = sealed(KNOWN + 1, KNOWN + 1, 0, 0);
    refused(FormatException.TooNew.class, Arrays.copyOf(file, Envelope.HEAD_BYTES));
    refused(FormatException.TooNew.class, sealed(KNOWN, KNOWN, 0x0000_0400, 0));
    refused(FormatException.TooNew.class, sealed(KNOWN, KNOWN, 0, 7));
  }

  @Test
  void aNewerReleaseMayWriteWhatThisOneReads() {
    Head newer = new Head(KNOWN + 1, KNOWN, 0x0001_0000, 0);
    byte[] file = Envelope.seal(FileKind.LABEL, newer, BODY);
    assertEquals(newer, Envelope.open(FileKind.LABEL, "labels/7", file));
    assertTrue(newer.isNewerThan(FileKind.LABEL));
  }

  @Test
  void aFileOfAFormatThatIsReadNoMoreIsTooOld() {
    int before = FileKind.LABEL.oldestRead() - 1;
    String message =
        String.valueOf(
            refused(FormatException.TooOld.class, sealed(before, before, 0, 0)).getMessage());
    assertTrue(message.contains("format version " + before), message);
    byte[] first = "VARVLBL1 and what followed it in version 1".getBytes(StandardCharsets.US_ASCII);
    refused(FormatException.TooOld.class, first);
  }

  @Test
  void aFileOfAnotherKindIsNoLabel() {
    FormatException e = refused(FormatException.Damaged.class, Envelope.seal(FileKind.NAME, BODY));
    assertTrue(String.valueOf(e.getMessage()).contains("another kind, NAME"), e::getMessage);
  }

  @Test
  void noTwoKindsHaveOneCode() {
    Set<String> codes = new HashSet<>();
    for (FileKind kind : FileKind.values()) {
      assertTrue(kind.code().matches("[A-Z]{4}"), kind.code());
      assertTrue(codes.add(kind.code()), kind.code());
    }
  }
}
