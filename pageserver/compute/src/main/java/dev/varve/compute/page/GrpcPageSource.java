package dev.varve.compute.page;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationEntry;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Pages over the pageserver's contract. Reads that somebody waits for and reads ahead go over
 * different streams, so that a small answer never waits behind a large one. UNAVAILABLE and its
 * like are tried again with growing pauses until the time limit; over a new connection when the old
 * one broke, when an attempt got no answer for seconds, and when the answer was ABORTED, since the
 * timeline is on another pageserver then. Every other status is final. Closing ends what is under
 * way with an error.
 */
public final class GrpcPageSource implements PageSource {
  private static final int FOREGROUND_STREAMS = 4;
  private static final int AHEAD_STREAMS = 2;
  private static final long FIRST_PAUSE_MILLIS = 10;
  private static final long LONGEST_PAUSE_MILLIS = 250;

  /** An attempt without an answer; each one may take twice as long, should the server be slow. */
  private static final Duration FIRST_ATTEMPT = Duration.ofSeconds(5);

  private final PageserverConnection connection;
  private final PageServiceGrpc.PageServiceBlockingStub blocking;
  private final String timeline;
  private final long lsn;
  private final Duration limit;
  private final List<PageStream> foreground = new ArrayList<>();
  private final List<PageStream> ahead = new ArrayList<>();
  private final Context.CancellableContext life = Context.ROOT.withCancellation();
  private volatile boolean closed;

  /**
   * @param connection the caller's, who closes it after this source
   * @param token null for none
   * @param lsn of the image; every read is at it
   * @param limit of one call, with all its retries
   */
  public GrpcPageSource(
      PageserverConnection connection,
      @Nullable String token,
      String timeline,
      long lsn,
      Duration limit) {
    Channel channel = connection.channel(token);
    this.connection = connection;
    this.timeline = timeline;
    this.lsn = lsn;
    this.limit = limit;
    this.blocking = PageServiceGrpc.newBlockingStub(channel);
    PageServiceGrpc.PageServiceStub stub = PageServiceGrpc.newStub(channel);
    for (int i = 0; i < FOREGROUND_STREAMS; i++) {
      foreground.add(new PageStream(connection, stub));
    }
    for (int i = 0; i < AHEAD_STREAMS; i++) {
      ahead.add(new PageStream(connection, stub));
    }
  }

  private static PageStream leastBusy(List<PageStream> streams) {
    PageStream best = streams.getFirst();
    for (PageStream stream : streams) {
      if (stream.pending() < best.pending()) {
        best = stream;
      }
    }
    return best;
  }

  @Override
  public ByteBuffer readPages(RelationFork fork, long firstBlock, int count, boolean isAhead)
      throws PageSourceException {
    GetPagesRequest.Builder request =
        GetPagesRequest.newBuilder()
            .setTimeline(timeline)
            .setLsn(lsn)
            .setRelation(
                dev.varve.api.v1.RelationFork.newBuilder()
                    .setTablespaceOid(fork.tablespace())
                    .setDatabaseOid(fork.database())
                    .setRelationNumber(fork.relation())
                    .setFork(fork.fork()))
            .setFirstBlock((int) firstBlock)
            .setBlockCount(count);
    ByteString pages =
        retrying(
            nanos -> send(leastBusy(isAhead ? ahead : foreground), request, nanos),
            () -> "reading " + count + " pages from block " + firstBlock + " of " + fork);
    if (pages.size() != count * PAGE_BYTES) {
      throw new PageSourceException(
          "the pageserver answered " + pages.size() + " bytes for " + count + " pages of " + fork);
    }
    return pages.asReadOnlyByteBuffer();
  }

  private static ByteString send(PageStream stream, GetPagesRequest.Builder request, long nanos)
      throws TimeoutException, InterruptedException {
    PageStream.Sent sent = stream.send(request);
    try {
      return sent.answer().get(nanos, TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw Status.fromThrowable(e).asRuntimeException();
    } catch (TimeoutException e) {
      sent.giveUp().run();
      throw e;
    }
  }

  @Override
  public List<RelationSize> listRelations(int tablespace, int database) throws PageSourceException {
    ListRelationsRequest request =
        ListRelationsRequest.newBuilder()
            .setTimeline(timeline)
            .setLsn(lsn)
            .setTablespaceOid(tablespace)
            .setDatabaseOid(database)
            .build();
    return retrying(
        nanos -> {
          Context before = life.attach();
          long epoch = connection.epoch();
          try {
            return list(request, nanos);
          } catch (StatusRuntimeException e) {
            connection.renewAfter(e.getStatus().getCode(), epoch);
            throw e;
          } finally {
            life.detach(before);
          }
        },
        () -> "listing the relations of database " + database + " in tablespace " + tablespace);
  }

  private List<RelationSize> list(ListRelationsRequest request, long nanos) {
    List<RelationSize> found = new ArrayList<>();
    Iterator<ListRelationsResponse> answers =
        blocking.withDeadlineAfter(nanos, TimeUnit.NANOSECONDS).listRelations(request);
    while (answers.hasNext()) {
      for (RelationEntry entry : answers.next().getRelationsList()) {
        RelationFork fork =
            new RelationFork(
                request.getTablespaceOid(),
                request.getDatabaseOid(),
                entry.getRelationNumber(),
                entry.getFork());
        found.add(
            new RelationSize(
                fork, Integer.toUnsignedLong(entry.getBlocks()), entry.getSourceFork()));
      }
    }
    return found;
  }

  private interface Attempt<T> {
    T run(long nanosLeft) throws TimeoutException, InterruptedException;
  }

  private interface Text {
    String get();
  }

  private <T> T retrying(Attempt<T> attempt, Text what) throws PageSourceException {
    long deadline = System.nanoTime() + limit.toNanos();
    long pause = FIRST_PAUSE_MILLIS;
    long longest = FIRST_ATTEMPT.toNanos();
    @Nullable StatusRuntimeException last = null;
    boolean interrupted = false;
    try {
      while (true) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          throw new PageSourceException(
              what.get()
                  + " did not succeed within "
                  + limit.toMillis()
                  + " ms: "
                  + (last == null ? "no answer" : last.getStatus()),
              last);
        }
        try {
          return attempt.run(Math.min(left, longest));
        } catch (StatusRuntimeException e) {
          if (closed || !retryable(e.getStatus().getCode())) {
            throw new PageSourceException(what.get() + " failed: " + e.getStatus(), e);
          }
          last = e;
          if (e.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED) {
            longest *= 2;
          }
        } catch (TimeoutException e) {
          longest *= 2;
          continue;
        } catch (InterruptedException e) {
          interrupted = true;
          continue;
        }
        try {
          Thread.sleep(Math.min(pause, Math.max(1, (deadline - System.nanoTime()) / 1_000_000)));
        } catch (InterruptedException e) {
          interrupted = true;
        }
        pause = Math.min(pause * 2, LONGEST_PAUSE_MILLIS);
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static boolean retryable(Status.Code code) {
    return switch (code) {
      case UNAVAILABLE, RESOURCE_EXHAUSTED, CANCELLED, ABORTED, DEADLINE_EXCEEDED -> true;
      default -> false;
    };
  }

  @Override
  public void close() {
    closed = true;
    life.cancel(null);
    foreground.forEach(PageStream::close);
    ahead.forEach(PageStream::close);
  }
}
