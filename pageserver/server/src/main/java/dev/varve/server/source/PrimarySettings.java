package dev.varve.server.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
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

  /** In Unicode's private use area; the agent of a compute has the same number. */
  private static final char RAW = 0xF700;

  private PrimarySettings() {}

  /** Asks over a WAL sender's connection that is not streaming. */
  static SortedMap<String, String> ask(PostgresConnection connection) throws IOException {
    SettingsTable table = SettingsTable.get();
    SortedMap<String, String> kept = new TreeMap<>();
    for (ResultRow row : connection.query("SHOW ALL")) {
      String name = row.require(0);
      byte[] value = row.bytes(1);
      if (value != null
          && table.isKept(name)
          && !(name.equals(ADDED_BY_A_MINOR) && value.length == 0)) {
        kept.put(name, text(value));
      }
    }
    return kept;
  }

  /**
   * A value as it is kept and sent: UTF-8 as the text that it is. A value in another encoding,
   * which a database of that encoding has it in, is kept byte by byte, those above 0x7F as
   * characters from {@link #RAW} on. So is one that has such characters itself.
   */
  static String text(byte[] value) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).toString();
      if (text.chars().noneMatch(c -> c >= RAW + 0x80 && c <= RAW + 0xFF)) {
        return text;
      }
    } catch (CharacterCodingException e) {
      // Its bytes count.
    }
    StringBuilder raw = new StringBuilder(value.length);
    for (byte b : value) {
      raw.append((char) (b < 0 ? RAW + (b & 0xFF) : b));
    }
    return raw.toString();
  }
}
