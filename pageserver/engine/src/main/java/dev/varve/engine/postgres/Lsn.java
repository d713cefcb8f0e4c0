package dev.varve.engine.postgres;

/**
 * Log sequence numbers: unsigned byte positions in WAL, kept as {@code long}s named {@code …Lsn}; 0
 * is "none". Written as PostgreSQL writes them, {@code 16/B374D848}. Follows PostgreSQL 17 {@code
 * src/include/access/xlogdefs.h}.
 */
public final class Lsn {
  /** No LSN ({@code InvalidXLogRecPtr}). */
  public static final long INVALID = 0;

  private Lsn() {}

  /** {@code high/low} in upper-case hexadecimal, as PostgreSQL prints {@code pg_lsn}. */
  public static String format(long lsn) {
    return Long.toHexString(lsn >>> 32).toUpperCase(java.util.Locale.ROOT)
        + "/"
        + Long.toHexString(lsn & 0xFFFF_FFFFL).toUpperCase(java.util.Locale.ROOT);
  }

  /**
   * The inverse of {@link #format}.
   *
   * @throws IllegalArgumentException when {@code text} is not two hexadecimal numbers of 1 to 8
   *     digits with a slash between
   */
  public static long parse(String text) {
    int slash = text.indexOf('/');
    if (slash < 1 || slash > 8 || text.length() - slash < 2 || text.length() - slash > 9) {
      throw new IllegalArgumentException(
          "not an LSN: '" + text + "' (expected, for example, 16/B374D848)");
    }
    try {
      return Long.parseLong(text, 0, slash, 16) << 32
          | Long.parseLong(text, slash + 1, text.length(), 16);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "not an LSN: '" + text + "' (expected, for example, 16/B374D848)", e);
    }
  }

  /** Rounds up to a multiple of 8 ({@code MAXALIGN}). */
  public static long align(long lsn) {
    return (lsn + 7) & ~7L;
  }
}
