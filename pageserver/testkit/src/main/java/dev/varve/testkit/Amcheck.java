package dev.varve.testkit;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * PostgreSQL's own check of its files: every B-tree against its heap, every heap against itself.
 *
 * <p>A table that a prepared transaction holds gets the weaker index check, which takes no lock
 * that conflicts: the stronger one would wait until somebody ends that transaction. Any other lock
 * makes a complaint after {@link #LOCK_TIMEOUT}.
 */
public final class Amcheck {
  private static final String LOCK_TIMEOUT = "30s";

  /** The check of each index; locks without a process are those of prepared transactions. */
  private static final String INDEX_CHECKS =
      """
      select format(case when held then 'select bt_index_check(%1$L::regclass, true)'
        else 'select bt_index_parent_check(%1$L::regclass, true, true)' end, index)
      from (
        select c.oid::regclass::text as index, exists (
          select from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and l.relation = i.indrelid and l.pid is null) as held
        from pg_class c join pg_am a on a.oid = c.relam join pg_index i on i.indexrelid = c.oid
        where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisvalid and i.indisready) x
      """;

  private static final String HEAPS =
      """
      select c.oid::regclass::text from pg_class c join pg_am a on a.oid = c.relam
      where a.amname = 'heap' and c.relkind in ('r', 't', 'm') and c.relpersistence = 'p'
      """;

  private Amcheck() {}

  /**
   * Checks every database; makes the extension where it is missing. Returns complaints, none when
   * all is well.
   */
  public static List<String> complaints(PostgresServer server) throws SQLException {
    return complaints(server, TableHashes.databases(server));
  }

  /** The same for some databases. */
  public static List<String> complaints(PostgresServer server, List<String> databases)
      throws SQLException {
    List<String> complaints = new ArrayList<>();
    for (String database : databases) {
      try (Connection connection = server.connect(database);
          Statement statement = connection.createStatement()) {
        statement.execute("set lock_timeout = '" + LOCK_TIMEOUT + "'");
        statement.execute("create extension if not exists amcheck");
        for (String check : PostgresServer.column(statement, INDEX_CHECKS)) {
          check(statement, database + ": " + check, check, complaints);
        }
        for (String heap : PostgresServer.column(statement, HEAPS)) {
          for (String complaint :
              PostgresServer.column(
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
}
