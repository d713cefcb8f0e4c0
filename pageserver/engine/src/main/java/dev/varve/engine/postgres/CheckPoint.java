package dev.varve.engine.postgres;

/**
 * Offsets in the 88 bytes of {@code CheckPoint}, as a checkpoint record and the control file hold
 * it; the same in 15 to 18 but for {@code wal_level}. Follows PostgreSQL 17 {@code
 * src/include/catalog/pg_control.h}.
 */
public final class CheckPoint {
  public static final int SIZE = 88;
  public static final int REDO = 0;
  public static final int THIS_TLI = 8;
  public static final int PREVIOUS_TLI = 12;
  public static final int FULL_PAGE_WRITES = 16;

  /** From 17 on; padding before. */
  public static final int WAL_LEVEL = 20;

  public static final int NEXT_XID = 24;
  public static final int NEXT_OID = 32;
  public static final int NEXT_MULTI = 36;
  public static final int NEXT_MULTI_OFFSET = 40;
  public static final int OLDEST_XID = 44;
  public static final int OLDEST_XID_DB = 48;
  public static final int OLDEST_MULTI = 52;
  public static final int OLDEST_MULTI_DB = 56;
  public static final int TIME = 64;
  public static final int OLDEST_COMMIT_TS_XID = 72;
  public static final int NEWEST_COMMIT_TS_XID = 76;
  public static final int OLDEST_ACTIVE_XID = 80;

  private CheckPoint() {}
}
