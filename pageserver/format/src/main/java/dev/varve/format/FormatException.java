package dev.varve.format;

/**
 * Why a file or object cannot be read, by what is to be done about it. Messages say what it is,
 * where, of which version, and what to do.
 */
public abstract sealed class FormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private FormatException(String message) {
    super(message);
  }

  /** A newer release wrote it: use that one, or a newer one. */
  public static final class TooNew extends FormatException {
    private static final long serialVersionUID = 1L;

    TooNew(String message) {
      super(message);
    }
  }

  /** An older release wrote it, and this one reads its format no more: use one that does. */
  public static final class TooOld extends FormatException {
    private static final long serialVersionUID = 1L;

    TooOld(String message) {
      super(message);
    }
  }

  /** Bytes are not what was written: bring back a copy. */
  public static final class Damaged extends FormatException {
    private static final long serialVersionUID = 1L;

    Damaged(String message) {
      super(message);
    }
  }
}
