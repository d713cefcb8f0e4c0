package dev.varve.engine.postgres;

/**
 * The majors that Varve knows, with the numbers that identify them in files. Values from the
 * headers of each major: {@code src/include/access/xlog_internal.h} (page magic) and {@code
 * src/include/catalog/pg_control.h}.
 */
public enum PostgresMajor {
  V15(15, 0xD110, 1300),
  V16(16, 0xD113, 1300),
  V17(17, 0xD116, 1700),
  V18(18, 0xD118, 1800);

  private final int number;
  private final int walPageMagic;
  private final int controlFileVersion;

  PostgresMajor(int number, int walPageMagic, int controlFileVersion) {
    this.number = number;
    this.walPageMagic = walPageMagic;
    this.controlFileVersion = controlFileVersion;
  }

  /** 15 to 18. */
  public int number() {
    return number;
  }

  /** {@code XLOG_PAGE_MAGIC}. */
  public int walPageMagic() {
    return walPageMagic;
  }

  /** {@code PG_CONTROL_VERSION}; 15 and 16 share one. */
  public int controlFileVersion() {
    return controlFileVersion;
  }

  public boolean atLeast(PostgresMajor other) {
    return number >= other.number;
  }

  /**
   * The major with this number.
   *
   * @throws IllegalArgumentException naming the supported ones
   */
  public static PostgresMajor of(int number) {
    for (PostgresMajor major : values()) {
      if (major.number == number) {
        return major;
      }
    }
    throw new IllegalArgumentException(
        "PostgreSQL " + number + " is not supported; supported majors are 15, 16, 17 and 18");
  }
}
