package dev.varve.compute.page;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.PageServiceGrpc;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Pages over the pageserver's contract. Reads that somebody waits for and reads ahead go over
 * different streams, so that a small answer never waits behind a large one. UNAVAILABLE and its
 * like are tried again with growing pauses until the time limit; over a new connection when the old
 * one broke, when an attempt got no answer for seconds, and when the answer was ABORTED, since the
 * timeline is on another pageserver then; and UNAUTHENTICATED where the token may be replaced.
 * Every other status is final. Closing ends what is under way with an error.
 */
public final class GrpcPageSource implements PageSource {
  private static final int FOREGROUND_STREAMS = 4;
  private static final int AHEAD_STREAMS = 2;
  private static final long FIRST_PAUSE_MILLIS = 10;
  private static final long LONGEST_PAUSE_MILLIS = 250;

  /** How often a waiter is asked whether it still waits. */
  private static final long WAITER_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  /** An attempt without an answer; each one may take twice as long, should the server be slow. */
  private static final Duration FIRST_ATTEMPT = Duration.ofSeconds(5);

  private final PageserverConnection connection;
  private final ReadToken token;
  private final PageServiceGrpc.PageServiceFutureStub lists;
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
    this(ReadToken.fixed(token), connection, timeline, lsn, limit);
  }

  /**
   * Likewise, with a token that may be replaced. Reads that are refused wait for that, as long as
   * the limit lets them.
   */
  public static GrpcPageSource withReplaceable(
      ReadToken token, PageserverConnection connection, String timeline, long lsn, Duration limit) {
    return new GrpcPageSource(token, connection, timeline, lsn, limit);
  }

  private GrpcPageSource(
      ReadToken token, PageserverConnection connection, String timeline, long lsn, Duration limit) {
    this.token = token;
    Channel channel = connection.channel(token);
    this.connection = connection;
    this.timeline = timeline;
    this.lsn = lsn;
    this.limit = limit;
    this.lists = PageServiceGrpc.newFutureStub(channel);
    PageServiceGrpc.PageServiceStub stub = PageServiceGrpc.newStub(channel);
    for (int i = 0; i < FOREGROUND_STREAMS; i++) {
      foreground.add(new PageStream(connection, token, stub));
    }
    for (int i = 0; i < AHEAD_STREAMS; i++) {
      ahead.add(new PageStream(connection, token, stub));
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
  public ByteBuffer readPages(
      RelationFork fork, long firstBlock, int count, boolean isAhead, Waiter waiter)
      throws IOException {
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
            waiter,
            nanos -> send(leastBusy(isAhead ? ahead : foreground), request, nanos, waiter),
            () -> "reading " + count + " pages from block " + firstBlock + " of " + fork);
    if (pages.size() != count * PAGE_BYTES) {
      throw new PageSourceException(
          "the pageserver answered " + pages.size() + " bytes for " + count + " pages of " + fork);
    }
    return pages.asReadOnlyByteBuffer();
  }

  private static @Nullable ByteString send(
      PageStream stream, GetPagesRequest.Builder request, long nanos, Waiter waiter)
      throws TimeoutException, InterruptedException {
    PageStream.Sent sent = stream.send(request);
    try {
      return answer(sent.answer(), nanos, waiter);
    } catch (TimeoutException e) {
      sent.giveUp().run();
      throw e;
    }
  }

  /** The answer; null when the waiter gave up before it came. */
  private static <T> @Nullable T answer(Future<T> future, long nanos, Waiter waiter)
      throws TimeoutException, InterruptedException {
    long end = System.nanoTime() + nanos;
    while (true) {
      long left = Math.max(0, end - System.nanoTime());
      try {
        return future.get(Math.min(left, WAITER_NANOS), TimeUnit.NANOSECONDS);
      } catch (ExecutionException e) {
        throw Status.fromThrowable(e).asRuntimeException();
      } catch (TimeoutException e) {
        if (left <= WAITER_NANOS) {
          throw e;
        }
        if (waiter.gaveUp()) {
          return null;
        }
      }
    }
  }

  @Override
  public RelationList listRelations(int tablespace, int database, int position, Waiter waiter)
      throws IOException {
    return list(
        request(tablespace, database).setPosition(position).build(),
        () -> "listing the relations of database " + database + " in tablespace " + tablespace,
        waiter);
  }

  @Override
  public RelationList relation(int tablespace, int database, int relation, Waiter waiter)
      throws IOException {
    return list(
        request(tablespace, database).setRelationNumber(relation).build(),
        () ->
            "asking for relation "
                + Integer.toUnsignedString(relation)
                + " of database "
                + database
                + " in tablespace "
                + tablespace,
        waiter);
  }

  private ListRelationsRequest.Builder request(int tablespace, int database) {
    return ListRelationsRequest.newBuilder()
        .setTimeline(timeline)
        .setLsn(lsn)
        .setTablespaceOid(tablespace)
        .setDatabaseOid(database);
  }

  private RelationList list(ListRelationsRequest request, Text what, Waiter waiter)
      throws IOException {
    ListRelationsResponse answer =
        retrying(
            waiter,
            nanos -> {
              Context before = life.attach();
              long epoch = connection.epoch();
              ReadToken.Shown shown = token.shown();
              ListenableFuture<ListRelationsResponse> sent;
              try {
                sent = lists.withDeadlineAfter(nanos, TimeUnit.NANOSECONDS).listRelations(request);
              } finally {
                life.detach(before);
              }
              try {
                return answer(sent, nanos, waiter);
              } catch (TimeoutException e) {
                connection.renew(epoch);
                throw e;
              } catch (StatusRuntimeException e) {
                connection.renewAfter(e.getStatus().getCode(), epoch);
                if (e.getStatus().getCode() == Status.Code.UNAUTHENTICATED) {
                  token.refuse(shown);
                }
                throw e;
              } finally {
                sent.cancel(false);
              }
            },
            what);
    try {
      return decoded(answer);
    } catch (IllegalArgumentException e) {
      throw new PageSourceException(
          what.get() + " failed: the answer is damaged: " + e.getMessage(), e);
    }
  }

  private static RelationList decoded(ListRelationsResponse answer) {
    int[] relations = new int[answer.getRelationNumberDeltasCount()];
    int[] blocks = new int[answer.getBlocksCount()];
    int relation = 0;
    for (int i = 0; i < relations.length; i++) {
      relation += answer.getRelationNumberDeltas(i);
      relations[i] = relation;
    }
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = answer.getBlocks(i);
    }
    return new RelationList(
        relations, answer.getForks().toByteArray(), blocks, answer.getNextPosition());
  }

  private interface Attempt<T> {
    /** Null when whoever waits gave up. */
    @Nullable T run(long nanosLeft) throws TimeoutException, InterruptedException;
  }

  private interface Text {
    String get();
  }

  private <T> T retrying(Waiter waiter, Attempt<T> attempt, Text what) throws IOException {
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
                  + (last == null ? "no answer" : StatusText.of(last)),
              last);
        }
        try {
          T answer = attempt.run(Math.min(left, longest));
          if (answer == null) {
            throw new AbandonedException(what.get());
          }
          token.accept();
          return answer;
        } catch (StatusRuntimeException e) {
          if (closed) {
            throw new AbandonedException(what.get());
          }
          if (!retryable(e.getStatus().getCode())) {
            throw new PageSourceException(what.get() + " failed: " + StatusText.of(e), e);
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
        if (waiter.gaveUp()) {
          throw new AbandonedException(what.get());
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

  private boolean retryable(Status.Code code) {
    return switch (code) {
      case UNAUTHENTICATED -> token.isReplaceable();
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
