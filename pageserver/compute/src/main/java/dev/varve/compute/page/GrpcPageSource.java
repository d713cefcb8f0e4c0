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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Pages over the pageserver's contract. Reads that somebody waits for and reads ahead go over
 * different streams, so that a small answer never waits behind a large one. UNAVAILABLE and its
 * like are tried again with growing pauses until the time limit; so is ABORTED, over a new
 * connection, since the timeline is on another pageserver then. Every other status is final.
 * Closing ends what is under way with an error.
 */
public final class GrpcPageSource implements PageSource {
  private static final int FOREGROUND_STREAMS = 4;
  private static final int AHEAD_STREAMS = 2;
  private static final long FIRST_PAUSE_MILLIS = 10;
  private static final long LONGEST_PAUSE_MILLIS = 250;

  private final PageServiceGrpc.PageServiceBlockingStub blocking;
  private final String timeline;
  private final long lsn;
  private final Duration limit;
  private final Runnable reconnect;
  private final List<PageStream> foreground = new ArrayList<>();
  private final List<PageStream> ahead = new ArrayList<>();
  private final Context.CancellableContext life = Context.ROOT.withCancellation();
  private volatile boolean closed;

  /**
   * @param channel the caller's, who closes it after this source
   * @param lsn of the image; every read is at it
   * @param limit of one call, with all its retries
   * @param reconnect makes the channel look again where the pageserver is
   */
  public GrpcPageSource(
      Channel channel, String timeline, long lsn, Duration limit, Runnable reconnect) {
    this.reconnect = reconnect;
    this.timeline = timeline;
    this.lsn = lsn;
    this.limit = limit;
    this.blocking = PageServiceGrpc.newBlockingStub(channel);
    PageServiceGrpc.PageServiceStub stub = PageServiceGrpc.newStub(channel);
    for (int i = 0; i < FOREGROUND_STREAMS; i++) {
      foreground.add(new PageStream(stub));
    }
    for (int i = 0; i < AHEAD_STREAMS; i++) {
      ahead.add(new PageStream(stub));
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
    CompletableFuture<ByteString> answer = stream.send(request);
    try {
      return answer.get(nanos, TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw Status.fromThrowable(e).asRuntimeException();
    } catch (TimeoutException e) {
      stream.reset("an answer did not come in time");
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
          try {
            return list(request, nanos);
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
          return attempt.run(left);
        } catch (StatusRuntimeException e) {
          if (closed || !retryable(e.getStatus().getCode())) {
            throw new PageSourceException(what.get() + " failed: " + e.getStatus(), e);
          }
          last = e;
          if (e.getStatus().getCode() == Status.Code.ABORTED) {
            moved();
          }
        } catch (TimeoutException e) {
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

  /** The pageserver that answers has the timeline no longer. */
  private void moved() {
    reconnect.run();
    foreground.forEach(stream -> stream.reset("the timeline has moved"));
    ahead.forEach(stream -> stream.reset("the timeline has moved"));
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
