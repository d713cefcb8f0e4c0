package dev.varve.engine.timeline;

import static dev.varve.engine.bytes.LittleEndian.i32;
import static dev.varve.engine.bytes.LittleEndian.i64;
import static dev.varve.engine.bytes.LittleEndian.putI32;
import static dev.varve.engine.bytes.LittleEndian.putI64;

import dev.varve.engine.bytes.Crc32c;
import dev.varve.engine.postgres.CheckPoint;
import dev.varve.engine.postgres.ControlFile;
import dev.varve.engine.postgres.PostgresMajor;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A cluster a few thousand ids before the end of the spaces of transactions, multixacts and their
 * members, made of a frozen one as {@code pg_resetwal} does; and statements that use ids up.
 */
final class NearWraparound {
  private static final int PAGE = 8192;
  private static final int RECORD_HEADER = 24;
  private static final List<String> DATABASES = List.of("template0", "template1", "postgres");

  private NearWraparound() {}

  /** Brings a cluster that was just made there and starts it. */
  static void prepare(PostgresServer server) throws Exception {
    server.start();
    server.execute("postgres", "alter database template0 allow_connections true");
    freeze(server);
    server.execute("postgres", "select pg_switch_wal()");
    server.stop();
    Path data = server.dataDirectory();
    Path control = data.resolve("global/pg_control");
    byte[] file = Files.readAllBytes(control);
    PostgresMajor major = PostgresMajor.of(server.major());
    byte[] checkPoint =
        Arrays.copyOfRange(
            file, ControlFile.CHECK_POINT_COPY, ControlFile.CHECK_POINT_COPY + CheckPoint.SIZE);
    putI64(checkPoint, CheckPoint.NEXT_XID, 4_294_962_000L);
    putI32(checkPoint, CheckPoint.OLDEST_XID, (int) 4_294_950_000L);
    putI32(checkPoint, CheckPoint.NEXT_MULTI, (int) 4_294_965_000L);
    putI32(checkPoint, CheckPoint.OLDEST_MULTI, (int) 4_294_964_000L);
    putI32(checkPoint, CheckPoint.NEXT_MULTI_OFFSET, (int) 4_294_960_000L);
    long recordLsn = i64(file, ControlFile.CHECK_POINT);
    checkpointRecord(data, i32(file, ControlFile.WAL_SEGMENT_SIZE), recordLsn, checkPoint);
    byte[] kept = Arrays.copyOf(file, ControlFile.keptBytes(major));
    Files.write(control, ControlFile.shutDown(kept, major, recordLsn, checkPoint));
    segment(data.resolve("pg_xact"), "0FFF", 32);
    segment(data.resolve("pg_multixact/offsets"), "FFFF", 32);
    segment(data.resolve("pg_multixact/members"), "14078", 6);
    server.start();
    freeze(server);
  }

  /** Changes the shutdown's checkpoint, which is all that its page of WAL has. */
  private static void checkpointRecord(Path data, int segmentBytes, long lsn, byte[] checkPoint)
      throws IOException {
    Path wal = data.resolve("pg_wal").resolve("%08X%08X%08X".formatted(1, 0, lsn / segmentBytes));
    byte[] segment = Files.readAllBytes(wal);
    int at = (int) (lsn % segmentBytes);
    System.arraycopy(checkPoint, 0, segment, at + RECORD_HEADER + 2, CheckPoint.SIZE);
    putI32(
        segment,
        at + 20,
        new Crc32c().of(segment, at + RECORD_HEADER, 2 + CheckPoint.SIZE, at, 20));
    Files.write(wal, segment);
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
