package dev.varve.engine.bytes;

import dev.varve.engine.PageserverException;
import dev.varve.format.Envelope;
import dev.varve.format.FileKind;
import dev.varve.format.FormatException;

/** Files and objects in their {@link Envelope}, with the engine's readers, writers and errors. */
public final class Enveloped {
  private Enveloped() {}

  /** The whole file of a body. */
  public static byte[] seal(FileKind kind, ByteWriter body) {
    return Envelope.seal(kind, body.toByteArray());
  }

  /**
   * A reader of the body of a whole file, which it checks.
   *
   * @param where its name, for messages
   * @throws PageserverException.TooNew when a newer release wrote it
   * @throws PageserverException.TooOld when this release reads its format no more
   * @throws PageserverException.Corrupt when it is damaged
   */
  public static ByteReader open(FileKind kind, String where, byte[] file) {
    try {
      boolean isNewer = Envelope.open(kind, where, file).isNewerThan(kind);
      int length = file.length - Envelope.HEAD_BYTES - Envelope.CHECKSUM_BYTES;
      ByteReader body =
          new ByteReader(kind.noun() + " " + where, file, Envelope.HEAD_BYTES, length);
      return isNewer ? body.ofNewer() : body;
    } catch (FormatException e) {
      throw PageserverException.of(e);
    }
  }

  /**
   * Checks the head of a file that is read by ranges. The exceptions are those of {@link #open}.
   */
  public static void requireHead(FileKind kind, String where, byte[] bytes) {
    try {
      var _ = Envelope.head(kind, where, bytes);
    } catch (FormatException e) {
      throw PageserverException.of(e);
    }
  }
}
