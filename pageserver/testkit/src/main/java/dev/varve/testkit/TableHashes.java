package dev.varve.testkit;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What two servers with the same data must agree on: for every database, every table's row count
 * and a hash over its rows in order.
 */
public final class TableHashes {
  private static final String DATABASES =
      "select datname from pg_database where datallowconn and datconnlimit <> -2 and datname <> 'template0'"
          + " order by 1";

  /**
   * Logged tables. Unlogged and temporary ones do not survive, and sequences run ahead in WAL by up
   * to 32 values.
   */
  private static final String RELATIONS =
      """
      select quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and c.relpersistence = 'p' and n.nspname !~ '^(pg_toast|information_schema)'
        and (n.nspname <> 'pg_catalog' or c.relname in ('pg_class', 'pg_attribute', 'pg_index', 'pg_largeobject',
          'pg_namespace', 'pg_type', 'pg_database', 'pg_authid', 'pg_tablespace', 'pg_constraint', 'pg_depend'))
      order by 1
      """;

  private TableHashes() {}

  /** {@code database table} → count and hash. */
  public static SortedMap<String, String> of(PostgresServer server) throws SQLException {
    SortedMap<String, String> hashes = new TreeMap<>();
    for (String database : databases(server)) {
      try (Connection connection = server.connect(database);
          Statement statement = connection.createStatement()) {
        List<String[]> relations = new ArrayList<>();
        try (ResultSet rows = statement.executeQuery(RELATIONS)) {
          while (rows.next()) {
            relations.add(new String[] {rows.getString(1), rows.getString(2)});
          }
        }
        for (String[] relation : relations) {
          hashes.put(database + " " + relation[0], hash(statement, relation[0]));
        }
      }
    }
    return hashes;
  }

  private static String hash(Statement statement, String relation) throws SQLException {
    try (ResultSet rows =
        statement.executeQuery(
            "select count(*) || ' ' || coalesce(md5(string_agg(md5(r::text), '' order by r::text)), '-') from "
                + relation
                + " r")) {
      rows.next();
      return rows.getString(1);
    }
  }

  /** The databases that can be connected to. */
  public static List<String> databases(PostgresServer server) throws SQLException {
    return server.column("postgres", DATABASES);
  }
}
