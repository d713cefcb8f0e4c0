package dev.varve.server.source;

import java.io.IOException;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a primary's settings are that belong to its data, asked for by {@code SHOW ALL}. A WAL
 * sender's connection answers it without a database and without a right to anything (PostgreSQL 17
 * src/backend/replication/repl_gram.y, {@code GetPGVariable}), and shows what the configuration
 * files say: no {@code ALTER ROLE … SET} applies there ({@code InitPostgres} in
 * src/backend/utils/init/postinit.c). The libraries that are preloaded it shows to members of
 * {@code pg_read_all_settings} only. A setting that no library has defined is never shown.
 */
final class PrimarySettings {
  /**
   * Its default is empty, and the first minors of 15 and 16 do not know it: one that is empty is
   * left out.
   */
  private static final String ADDED_BY_A_MINOR = "restrict_nonsystem_relation_kind";

  private PrimarySettings() {}

  /** Asks over a WAL sender's connection that is not streaming. */
  static SortedMap<String, String> ask(PostgresConnection connection) throws IOException {
    SettingsTable table = SettingsTable.get();
    SortedMap<String, String> kept = new TreeMap<>();
    for (ResultRow row : connection.query("SHOW ALL")) {
      String name = row.require(0);
      String value = row.get(1);
      if (value != null
          && table.isKept(name)
          && !(name.equals(ADDED_BY_A_MINOR) && value.isEmpty())) {
        kept.put(name, value);
      }
    }
    return kept;
  }
}
