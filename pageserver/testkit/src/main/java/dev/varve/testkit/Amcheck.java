package dev.varve.testkit;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * PostgreSQL's own check of its files: every B-tree against its heap, every heap against itself.
 */
public final class Amcheck {
  private static final String INDEXES =
      """
      select c.oid::regclass::text from pg_class c
      join pg_am a on a.oid = c.relam join pg_index i on i.indexrelid = c.oid
      where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisvalid and i.indisready
      """;

  private static final String HEAPS =
      "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 't', 'm') and c.relpersistence = 'p'";

  private Amcheck() {}

  /**
   * Checks every database; makes the extension where it is missing. Returns complaints, none when
   * all is well.
   */
  public static List<String> complaints(PostgresServer server) throws SQLException {
    List<String> complaints = new ArrayList<>();
    for (String database : TableHashes.databases(server)) {
      try (Connection connection = server.connect(database);
          Statement statement = connection.createStatement()) {
        statement.execute("set lock_timeout = '30s'");
        statement.execute("create extension if not exists amcheck");
        for (String index : column(statement, INDEXES)) {
          check(
              statement,
              database + " index " + index,
              "select bt_index_parent_check('"
                  + index.replace("'", "''")
                  + "'::regclass, true, true)",
              complaints);
        }
        for (String heap : column(statement, HEAPS)) {
          for (String complaint :
              column(
                  statement,
                  "select blkno || ' ' || coalesce(offnum, 0) || ' ' || msg from verify_heapam('"
                      + heap.replace("'", "''")
                      + "'::regclass)")) {
            complaints.add(database + " table " + heap + ": " + complaint);
          }
        }
      }
    }
    return complaints;
  }

  private static void check(Statement statement, String what, String sql, List<String> complaints) {
    try (ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
    } catch (SQLException e) {
      complaints.add(what + ": " + e.getMessage());
    }
  }

  private static List<String> column(Statement statement, String sql) throws SQLException {
    List<String> values = new ArrayList<>();
    try (ResultSet rows = statement.executeQuery(sql)) {
      while (rows.next()) {
        values.add(rows.getString(1));
      }
    }
    return values;
  }
}
