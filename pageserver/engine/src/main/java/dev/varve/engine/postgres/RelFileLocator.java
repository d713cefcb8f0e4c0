package dev.varve.engine.postgres;

/**
 * Where a relation's files are: tablespace, database (0 for shared catalogs) and relation number,
 * each an unsigned 32-bit OID held in an {@code int}. Follows PostgreSQL 17 {@code
 * src/include/storage/relfilelocator.h}.
 */
public record RelFileLocator(int tablespaceOid, int databaseOid, int relationNumber) {
  /** {@code pg_default}: {@code base/}. */
  public static final int DEFAULT_TABLESPACE = 1663;

  /** {@code pg_global}: {@code global/}. */
  public static final int GLOBAL_TABLESPACE = 1664;

  /** {@code tablespace/database/relation} in decimal, as PostgreSQL's own messages print it. */
  @Override
  public String toString() {
    return Integer.toUnsignedString(tablespaceOid)
        + "/"
        + Integer.toUnsignedString(databaseOid)
        + "/"
        + Integer.toUnsignedString(relationNumber);
  }
}
