package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a server's databases hold.
 *
 * @param tables {@code database table} → count and hash of the rows; unlogged tables are empty
 * @param catalogs {@code database catalog} → count and hash of the rows with place and xmin
 * @param sequences {@code database sequence} → next value, increment, cache
 */
record Contents(
    SortedMap<String, String> tables,
    SortedMap<String, String> catalogs,
    SortedMap<String, String> sequences) {
  /** Tables that one query hashes. */
  private static final int BATCH = 250;

  private static final String TABLES =
      """
      select format('select %L, count(*) || '' '' || coalesce(md5(string_agg(md5(r::text), '''' order by md5(r::text))), ''-'') from only %s r',
        format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname))
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and (c.relkind = 'r' or c.relispopulated)
      order by 1
      """;

  /** What they hold at the original is lost: a copy's have to be empty, and readable. */
  private static final String UNLOGGED =
      """
      select format('select %L, count(*)::text from only %s r',
        format('%I.%I unlogged', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname))
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.relpersistence = 'u'
      order by 1
      """;

  private static final String CATALOGS =
      """
      select format('select %L, count(*) || '' '' || coalesce(md5(string_agg(md5(row(r.ctid, r.xmin, r)::text), '''' order by r.ctid)), ''-'') from pg_catalog.%I r',
        c.relname, c.relname)
      from pg_class c
      where c.relkind = 'r' and c.relnamespace = 'pg_catalog'::regnamespace and (not c.relisshared or current_database() = 'postgres')
        and c.relname <> 'pg_subscription'
      order by 1
      """;

  /** A copy's subscriptions are held back: without slot, connection and work. */
  private static final String SUBSCRIPTIONS =
      """
      select format('select %L, %L', 'pg_subscription ' || oid || ' ' || subdbid, row(subname, subowner, subpublications)::text)
      from pg_subscription
      """;

  private static final String SEQUENCES =
      """
      select format('select %L, last_value::numeric + is_called::int * %s || '' '' || %2$s || '' '' || %s from %s',
        format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqcache, format('%I.%I', n.nspname, c.relname))
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_sequence s on s.seqrelid = c.oid
      where c.relpersistence = 'p' order by 1
      """;

  /**
   * Values that one WAL record of a sequence covers (PostgreSQL 17
   * src/backend/commands/sequence.c).
   */
  private static final long SEQ_LOG_VALS = 32;

  /**
   * Reads everything.
   *
   * @param original whether this is what copies are compared with
   */
  static Contents of(PostgresServer server, boolean original) throws SQLException {
    Contents contents = new Contents(new TreeMap<>(), new TreeMap<>(), new TreeMap<>());
    for (String database : Habitat.databases(server)) {
      try (Connection connection = server.connect(database);
          Statement statement = connection.createStatement()) {
        // The catalogs first: what looks at them may fill them.
        answer(statement, CATALOGS, database, contents.catalogs);
        answer(statement, SUBSCRIPTIONS, database, contents.catalogs);
        answer(statement, TABLES, database, contents.tables);
        SortedMap<String, String> unlogged = new TreeMap<>();
        answer(statement, UNLOGGED, database, unlogged);
        unlogged.forEach((name, count) -> contents.tables.put(name, original ? "0" : count));
        answer(statement, SEQUENCES, database, contents.sequences);
      }
    }
    return contents;
  }

  /** Runs the queries that a query makes. */
  private static void answer(
      Statement statement, String sql, String database, SortedMap<String, String> into)
      throws SQLException {
    List<String> queries = PostgresServer.column(statement, sql);
    for (int i = 0; i < queries.size(); i += BATCH) {
      String all =
          String.join(" union all ", queries.subList(i, Math.min(queries.size(), i + BATCH)));
      try (ResultSet rows = statement.executeQuery(all)) {
        while (rows.next()) {
          into.put(database + " " + rows.getString(1), rows.getString(2));
        }
      }
    }
  }

  /** What of a copy's sequences went back, or further than one WAL record goes. */
  static List<String> behind(SortedMap<String, String> original, SortedMap<String, String> copy) {
    List<String> complaints = new ArrayList<>();
    original.forEach((name, value) -> {
      String other = copy.get(name);
      if (other == null) {
        complaints.add(name + " is missing");
        return;
      }
      String[] parts = value.split(" ", -1);
      BigInteger step = new BigInteger(parts[1]);
      BigInteger moved = new BigInteger(other.split(" ", -1)[0]).subtract(new BigInteger(parts[0]));
      BigInteger most = BigInteger.valueOf(SEQ_LOG_VALS).add(new BigInteger(parts[2]));
      if (moved.signum() * step.signum() < 0 || moved.divide(step).compareTo(most) > 0) {
        complaints.add(name + ": " + value + " → " + other);
      }
    });
    return complaints;
  }

  /** What differs between two maps, each entry as a line. */
  static List<String> differences(
      SortedMap<String, String> expected, SortedMap<String, String> actual) {
    List<String> differences = new ArrayList<>();
    expected.forEach((name, value) -> {
      String other = actual.get(name);
      if (other == null) {
        differences.add(name + " is missing");
      } else if (!value.equals(other)) {
        differences.add(name + ": " + value + " → " + other);
      }
    });
    actual
        .keySet()
        .forEach(name -> {
          if (!expected.containsKey(name)) {
            differences.add(name + " is there, and not at the original");
          }
        });
    return differences;
  }
}
