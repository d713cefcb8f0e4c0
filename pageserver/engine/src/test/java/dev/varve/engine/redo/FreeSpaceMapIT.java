package dev.varve.engine.redo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.postgres.Page;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What decision 13 relies on: stock PostgreSQL inserts with a free space map that names full pages,
 * one that names blocks behind the end of the table, and none at all.
 */
class FreeSpaceMapIT {
  private static final int CUT_BLOCKS = 12;

  @ParameterizedTest
  @EnumSource(PostgresMajor.class)
  void theMapIsAHint(PostgresMajor major) throws Exception {
    try (PostgresServer server =
        PostgresServer.builder(major.number()).setting("autovacuum", "off").start()) {
      Path stale = table(server, "stale");
      Path behind = table(server, "behind");
      Path none = table(server, "none");
      server.stop();
      byte[] saved = Files.readAllBytes(map(stale));
      server.start();
      int filled = 100;
      insert(server, "stale", filled);
      server.stop();
      Files.write(map(stale), saved);
      Files.delete(map(none));
      try (FileChannel file = FileChannel.open(behind, StandardOpenOption.WRITE)) {
        file.truncate(file.size() - CUT_BLOCKS * Page.SIZE);
      }
      server.start();

      for (String table : new String[] {"stale", "behind", "none"}) {
        long before = count(server, table);
        assertTrue(before > 0);
        insert(server, table, filled);
        assertEquals(before + filled, count(server, table), table);
      }
    }
  }

  /** A table whose last pages but one are empty and in the map. */
  private static Path table(PostgresServer server, String name) throws Exception {
    server.execute(
        "postgres",
        "create table " + name + " (id int, t text)",
        "alter table " + name + " alter t set storage plain",
        "insert into " + name + " select i, repeat('x', 1000) from generate_series(1, 2000) i",
        "delete from " + name + " where id between 1900 and 1999",
        "vacuum " + name,
        "checkpoint");
    return server
        .dataDirectory()
        .resolve(server.query("postgres", "select pg_relation_filepath('" + name + "')"));
  }

  private static Path map(Path table) {
    return table.resolveSibling(table.getFileName() + "_fsm");
  }

  private static void insert(PostgresServer server, String table, int rows) throws Exception {
    server.execute(
        "postgres",
        "insert into "
            + table
            + " select i, repeat('y', 1000) from generate_series(1, "
            + rows
            + ") i");
  }

  private static long count(PostgresServer server, String table) throws Exception {
    return Long.parseLong(server.query("postgres", "select count(*) from " + table));
  }
}
