package dev.varve.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetRelationSizeRequest;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationFork;
import dev.varve.engine.postgres.PageChecksum;
import dev.varve.testkit.PostgresServer;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * Pages as a pageserver serves them beside the files of a primary with checksums. Callers freeze a
 * table and make a checkpoint before they compare, so that no tuple's hint bit is newer than the
 * WAL.
 */
final class ServedPages {
  private static final int PAGE_BYTES = 8192;
  private static final int RUN_BLOCKS = 128;
  private static final int PG_DEFAULT = 1663;
  private static final int PD_FLAGS = 10;

  /** {@code PD_HAS_FREE_LINES} and {@code PD_PAGE_FULL}. */
  private static final int PD_HINTS = 0x0003;

  private static final int PD_LOWER = 12;
  private static final int PD_UPPER = 14;
  private static final int PD_PRUNE_XID = 20;

  private final ManagedChannel channel;
  private final String timeline;

  /** {@code timeline}: tenant/timeline. */
  ServedPages(ManagedChannel channel, String timeline) {
    this.channel = channel;
    this.timeline = timeline;
  }

  /**
   * Asserts that every block of one fork of a table or index of the database postgres is what the
   * primary has on disk.
   *
   * @param fork 0 main, 2 visibility map
   * @return how many blocks were compared
   */
  int assertSame(PostgresServer primary, String name, int fork, long lsn) throws Exception {
    byte[] expected = Files.readAllBytes(file(primary, name, fork));
    RelationFork relation = relation(primary, name, fork);
    int blocks =
        PageServiceGrpc.newBlockingStub(channel)
            .getRelationSize(
                GetRelationSizeRequest.newBuilder()
                    .setTimeline(timeline)
                    .setLsn(lsn)
                    .setRelation(relation)
                    .build())
            .getBlocks();
    String what = name + " fork " + fork;
    assertEquals(expected.length / PAGE_BYTES, blocks, () -> "blocks of " + what);
    byte[] served = read(relation, blocks, lsn);
    for (int block : IntStream.range(0, blocks).toArray()) {
      int from = block * PAGE_BYTES;
      byte[] page = Arrays.copyOfRange(expected, from, from + PAGE_BYTES);
      takeHints(page, served, from, block);
      List<String> differences =
          IntStream.range(0, PAGE_BYTES)
              .filter(at -> page[at] != served[from + at])
              .limit(40)
              .mapToObj(at -> "%d: %02x %02x".formatted(at, page[at], served[from + at]))
              .toList();
      assertEquals(List.of(), differences, () -> "block " + block + " of " + what);
    }
    return blocks;
  }

  /** The answer for the first page of a table. */
  GetPagesResponse firstPage(PostgresServer primary, String name, long lsn) throws Exception {
    return answer(relation(primary, name, 0), 0, 1, lsn);
  }

  /** The one answer for a run of blocks. */
  GetPagesResponse answer(RelationFork relation, int first, int count, long lsn) throws Exception {
    CompletableFuture<GetPagesResponse> one = new CompletableFuture<>();
    StreamObserver<GetPagesRequest> requests =
        PageServiceGrpc.newStub(channel)
            .getPages(
                new StreamObserver<>() {
                  @Override
                  public void onNext(GetPagesResponse answer) {
                    one.complete(answer);
                  }

                  @Override
                  public void onError(Throwable error) {
                    one.completeExceptionally(error);
                  }

                  @Override
                  public void onCompleted() {}
                });
    requests.onNext(request(relation, first, count, lsn));
    requests.onCompleted();
    return one.get(30, TimeUnit.SECONDS);
  }

  private GetPagesRequest request(RelationFork relation, int first, int count, long lsn) {
    // A request's id is its first block.
    return GetPagesRequest.newBuilder()
        .setRequestId(first)
        .setTimeline(timeline)
        .setLsn(lsn)
        .setRelation(relation)
        .setFirstBlock(first)
        .setBlockCount(count)
        .build();
  }

  /**
   * Gives a page what PostgreSQL changes without logging it, redo included: whether pruning and
   * looking for a free line pointer are worth while ({@code PD_PAGE_FULL}, {@code
   * PD_HAS_FREE_LINES}, {@code pd_prune_xid}), what old tuples left in the free space, and the
   * checksum of all that.
   */
  private static void takeHints(byte[] page, byte[] served, int from, int block) {
    page[PD_FLAGS] = (byte) (page[PD_FLAGS] & ~PD_HINTS | served[from + PD_FLAGS] & PD_HINTS);
    System.arraycopy(served, from + PD_PRUNE_XID, page, PD_PRUNE_XID, Integer.BYTES);
    ByteBuffer header = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
    int lower = header.getShort(PD_LOWER);
    int upper = header.getShort(PD_UPPER);
    if (lower < upper) {
      System.arraycopy(served, from + lower, page, lower, upper - lower);
    }
    PageChecksum.set(page, block);
  }

  private static Path file(PostgresServer primary, String name, int fork)
      throws SQLException, IOException {
    String path = primary.query("postgres", "select pg_relation_filepath('" + name + "')");
    return primary.dataDirectory().resolve(path + (fork == 2 ? "_vm" : ""));
  }

  private static RelationFork relation(PostgresServer primary, String name, int fork)
      throws SQLException {
    return RelationFork.newBuilder()
        .setTablespaceOid(PG_DEFAULT)
        .setDatabaseOid(
            Integer.parseInt(
                primary.query(
                    "postgres", "select oid from pg_database where datname = 'postgres'")))
        .setRelationNumber(
            Integer.parseInt(
                primary.query("postgres", "select pg_relation_filenode('" + name + "')")))
        .setFork(fork)
        .build();
  }

  private byte[] read(RelationFork relation, int blocks, long lsn) throws Exception {
    byte[] pages = new byte[blocks * PAGE_BYTES];
    CompletableFuture<byte[]> whole = new CompletableFuture<>();
    StreamObserver<GetPagesRequest> requests =
        PageServiceGrpc.newStub(channel)
            .getPages(
                new StreamObserver<>() {
                  @Override
                  public void onNext(GetPagesResponse answer) {
                    if (answer.getStatusCode() != 0) {
                      whole.completeExceptionally(new AssertionError(answer.getStatusMessage()));
                    } else {
                      answer
                          .getPages()
                          .copyTo(pages, Math.toIntExact(answer.getRequestId() * PAGE_BYTES));
                    }
                  }

                  @Override
                  public void onError(Throwable error) {
                    whole.completeExceptionally(error);
                  }

                  @Override
                  public void onCompleted() {
                    whole.complete(pages);
                  }
                });
    for (int first = 0; first < blocks; first += RUN_BLOCKS) {
      requests.onNext(request(relation, first, Math.min(RUN_BLOCKS, blocks - first), lsn));
    }
    requests.onCompleted();
    return whole.get(30, TimeUnit.SECONDS);
  }
}
