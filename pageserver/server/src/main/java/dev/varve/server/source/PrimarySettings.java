package dev.varve.server.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a primary's settings are that belong to its data. A WAL sender's connection answers {@code
 * SHOW} without a database and without a right to anything (PostgreSQL 17
 * src/backend/replication/repl_gram.y, {@code GetPGVariable}), and shows what the configuration
 * files say: no {@code ALTER ROLE … SET} applies there ({@code InitPostgres} in
 * src/backend/utils/init/postinit.c). The libraries that are preloaded it shows to members of
 * {@code pg_read_all_settings} only.
 *
 * <p>{@code SHOW ALL} leaves out what no library has defined ({@code GUC_NO_SHOW_ALL} of {@code
 * add_placeholder_variable} in src/backend/utils/misc/guc.c): the settings of libraries that are
 * loaded when they are first called, and names of the user's own. Such a setting is asked for by
 * its name, and the name comes from the base backup's configuration files, from the timeline's last
 * settings, from {@link SettingsTable#onDemand}, and from {@code pg_file_settings} where the role
 * may read it. A name that is not set is an error there, and a line in the primary's log. So an
 * ordinary session says first which of the table's names are set. Where none is let in, each of
 * them is asked for once.
 *
 * <p>Owned by an attachment, for as long as it is attached. Thread-safe.
 */
public final class PrimarySettings {
  private static final Logger LOG = LoggerFactory.getLogger(PrimarySettings.class);

  /**
   * Its default is empty, and the first minors of 15 and 16 do not know it: one that is empty is
   * left out.
   */
  private static final String ADDED_BY_A_MINOR = "restrict_nonsystem_relation_kind";

  /** In Unicode's private use area; the agent of a compute has the same number. */
  private static final char RAW = 0xF700;

  /** {@code ERRCODE_UNDEFINED_OBJECT}: nobody has set it. */
  private static final String UNSET = "42704";

  private static final String MAY_READ_FILES =
      "select pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'select') and"
          + " pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()',"
          + " 'execute')";
  private static final String IN_FILES =
      "select distinct pg_catalog.lower(name) from pg_catalog.pg_file_settings"
          + " where applied and name like '%.%'";

  private final PrimarySource source;

  /** Asked for each time: set when they were asked for last, or not asked for yet. */
  private final Set<String> names = ConcurrentHashMap.newKeySet();

  private volatile boolean sessionRefused;

  public PrimarySettings(PrimarySource source) {
    this.source = source;
  }

  /** Settings that may be set; those without a dot are asked for anyway. */
  public void expect(Collection<String> expected) {
    for (String name : expected) {
      if (name.indexOf('.') > 0) {
        names.add(name);
      }
    }
  }

  /** Asks over a WAL sender's connection that is not streaming. */
  SortedMap<String, String> ask(PostgresConnection connection) throws IOException {
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
    expectWhatSessionsHave();
    for (String name : names) {
      if (table.isKept(name) && !kept.containsKey(name)) {
        ask(connection, name, kept);
      }
    }
    return kept;
  }

  private void ask(PostgresConnection connection, String name, SortedMap<String, String> into)
      throws IOException {
    try {
      String shown = "SHOW \"" + name.replace("\"", "\"\"").replace(".", "\".\"") + '"';
      byte[] value = PrimarySource.only(connection.query(shown)).bytes(0);
      // What was reset is an empty text until the primary restarts. The user's own is that for its
      // queries, too; of a library it is the default, which may be something else.
      if (value != null && (value.length > 0 || SettingsTable.get().origin(name) == null)) {
        into.put(name, text(value));
      }
    } catch (ServerError e) {
      if (e.sqlState().equals(UNSET)) {
        names.remove(name);
      }
    }
  }

  private void expectWhatSessionsHave() {
    if (sessionRefused) {
      return;
    }
    try (PostgresConnection session = source.session()) {
      expect(session, setOnDemand());
      if (session.query(MAY_READ_FILES).getFirst().require(0).equals("t")) {
        expect(session, IN_FILES);
      }
    } catch (ServerError e) {
      LOG.debug("{}: no session to find settings in", source.settings(), e);
      if (PrimarySource.refusesSession(e)) {
        sessionRefused = true;
        names.addAll(SettingsTable.get().onDemand());
      }
    } catch (IOException e) {
      LOG.debug("{}: no session to find settings in", source.settings(), e);
    }
  }

  private void expect(PostgresConnection session, String query) throws IOException {
    for (ResultRow row : session.query(query)) {
      names.add(row.require(0));
    }
  }

  /** What the session's role or database sets is left out: the primary may have another value. */
  private static String setOnDemand() {
    return "select name from pg_catalog.unnest('{"
        + String.join(",", SettingsTable.get().onDemand())
        + "}'::pg_catalog.text[]) name where pg_catalog.current_setting(name, true) is not null"
        + " and not exists (select from pg_catalog.pg_db_role_setting s"
        + " join pg_catalog.pg_roles r on s.setrole in (0, r.oid) and r.rolname = session_user"
        + " join pg_catalog.pg_database d on s.setdatabase in (0, d.oid)"
        + " and d.datname = pg_catalog.current_database(),"
        + " pg_catalog.unnest(s.setconfig) c"
        + " where pg_catalog.lower(pg_catalog.split_part(c, '=', 1)) = name)";
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
