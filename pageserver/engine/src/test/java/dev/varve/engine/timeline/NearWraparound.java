package dev.varve.engine.timeline;

import dev.varve.testkit.ClusterReset;
import dev.varve.testkit.ControlFile.Field;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A cluster a few thousand ids before the end of the spaces of transactions, multixacts and their
 * members, made of a frozen one; and statements that use ids up.
 */
final class NearWraparound {
  private static final int PAGE = 8192;
  private static final List<String> DATABASES = List.of("template0", "template1", "postgres");

  private NearWraparound() {}

  /** Brings a cluster that was just made there and starts it. */
  static void prepare(PostgresServer server) throws Exception {
    server.start();
    server.execute("postgres", "alter database template0 allow_connections true");
    freeze(server);
    server.stop();
    Path data = server.dataDirectory();
    ClusterReset.run(
        server,
        Map.of(
            Field.NEXT_XID, 4_294_962_000L,
            Field.OLDEST_XID, 4_294_950_000L,
            Field.NEXT_MULTI, 4_294_965_000L,
            Field.OLDEST_MULTI, 4_294_964_000L,
            Field.NEXT_MULTI_OFFSET, 4_294_960_000L));
    segment(data.resolve("pg_xact"), "0FFF", 32);
    segment(data.resolve("pg_multixact/offsets"), "FFFF", 32);
    segment(data.resolve("pg_multixact/members"), "14078", 6);
    server.start();
    freeze(server);
  }

  /** The segment of the ids that come next; the first ones' is gone. */
  private static void segment(Path directory, String name, int pages) throws IOException {
    Files.delete(directory.resolve("0000"));
    Files.write(directory.resolve(name), new byte[pages * PAGE]);
    PostgresServer.own(directory.resolve(name));
  }

  /** Lets go of all old ids. */
  static void freeze(PostgresServer server) throws Exception {
    for (String database : DATABASES) {
      server.execute(database, "vacuum (freeze)");
    }
  }

  static String burnTransactions(int count) {
    return "do $$ begin for i in 1.."
        + count
        + " loop perform pg_current_xact_id(); commit; end loop; end $$";
  }

  /** Each of two members, for the table {@code locked}. */
  static String burnMultiXacts(int count) {
    return "do $$ begin perform from locked for key share; for i in 1.."
        + count
        + " loop begin perform from locked where id = i for share; exception when others then raise;"
        + " end; end loop; end $$";
  }
}
