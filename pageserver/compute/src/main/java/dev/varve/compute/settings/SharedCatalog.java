package dev.varve.compute.settings;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Finds the files of shared catalogs in a data directory. All of them are mapped, since {@code
 * VACUUM FULL} gives them new ones (PostgreSQL 17 src/backend/utils/cache/relmapper.c).
 */
final class SharedCatalog {
  static final int PG_DATABASE = 1262;
  static final int PG_SUBSCRIPTION = 6100;

  /** {@code PgSubscriptionToastTable} of src/include/catalog/pg_subscription.h. */
  static final int PG_SUBSCRIPTION_TOAST = 4183;

  private static final int MAGIC = 0x592717;
  private static final int ENTRIES = 8;
  private static final int ENTRY_BYTES = 8;

  private SharedCatalog() {}

  /** The first segment of a catalog's main fork. */
  static Path file(Path data, int oid) throws IOException {
    Path file = data.resolve("global/pg_filenode.map");
    ByteBuffer map = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    if (map.remaining() < ENTRIES || map.getInt(0) != MAGIC) {
      throw new IOException(file + " is no relation map");
    }
    int count = map.getInt(4);
    for (int i = 0; i < count && ENTRIES + ENTRY_BYTES * (i + 1) <= map.limit(); i++) {
      int entry = ENTRIES + ENTRY_BYTES * i;
      if (map.getInt(entry) == oid) {
        return data.resolve("global/" + Integer.toUnsignedString(map.getInt(entry + 4)));
      }
    }
    throw new IOException(file + " does not name the catalog " + oid);
  }
}
