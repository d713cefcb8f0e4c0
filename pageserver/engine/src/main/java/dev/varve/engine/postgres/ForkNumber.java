package dev.varve.engine.postgres;

/** A relation's forks, numbered as in PostgreSQL 17 {@code src/include/common/relpath.h}. */
public final class ForkNumber {
  public static final int MAIN = 0;
  public static final int FREE_SPACE_MAP = 1;
  public static final int VISIBILITY_MAP = 2;
  public static final int INIT = 3;

  /** One more than the highest. */
  public static final int COUNT = 4;

  private ForkNumber() {}

  /** The suffix of the fork's file name: empty, {@code _fsm}, {@code _vm} or {@code _init}. */
  public static String suffix(int fork) {
    return switch (fork) {
      case MAIN -> "";
      case FREE_SPACE_MAP -> "_fsm";
      case VISIBILITY_MAP -> "_vm";
      case INIT -> "_init";
      default -> throw new IllegalArgumentException("fork " + fork);
    };
  }
}
