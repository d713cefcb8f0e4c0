package dev.varve.compute.page;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.PageServiceGrpc;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One GetPages stream: many requests under way, answers in their order. Opens itself when needed;
 * when the stream breaks, everything under way fails with the stream's status and the next request
 * opens a new one, over a new connection. When the connection was renewed or the token replaced,
 * the next request goes over a new stream, and what is under way is still answered over the old
 * one. Thread-safe.
 */
final class PageStream {
  private final PageserverConnection connection;
  private final ReadToken token;
  private final PageServiceGrpc.PageServiceStub stub;
  private final AtomicInteger pending = new AtomicInteger();
  private final ReentrantLock lock = new ReentrantLock();
  private @Nullable Call call;
  private long nextId = 1;
  private boolean closed;

  /**
   * @param stub over {@code connection}, with {@code token}
   */
  PageStream(
      PageserverConnection connection, ReadToken token, PageServiceGrpc.PageServiceStub stub) {
    this.connection = connection;
    this.token = token;
    this.stub = stub;
  }

  int pending() {
    return pending.get();
  }

  /** A request that was sent. */
  record Sent(CompletableFuture<ByteString> answer, Runnable giveUp) {}

  /**
   * Sends a request; its id is set here. The answer fails with a {@link
   * io.grpc.StatusRuntimeException}. Giving up ends the stream, with all that is under way in it.
   */
  Sent send(GetPagesRequest.Builder request) {
    CompletableFuture<ByteString> answer = new CompletableFuture<>();
    pending.incrementAndGet();
    CompletableFuture<ByteString> counted =
        answer.whenComplete((pages, failure) -> pending.decrementAndGet());
    Call current;
    Call left = null;
    RuntimeException failure = null;
    lock.lock();
    try {
      if (closed) {
        answer.completeExceptionally(
            Status.CANCELLED.withDescription("the page source is closed").asRuntimeException());
        return new Sent(counted, () -> {});
      }
      current = call;
      if (current != null
          && (current.epoch != connection.epoch()
              || current.shown.version() != token.shown().version())) {
        left = current;
        current = null;
      }
      if (current == null) {
        current = new Call(connection.epoch());
        call = current;
        current.requests = stub.getPages(current);
      }
      request.setRequestId(nextId);
      if (current.add(new Waiting(nextId, answer))) {
        try {
          current.requests().onNext(request.build());
        } catch (RuntimeException e) {
          failure = e;
        }
      }
      nextId++;
    } finally {
      lock.unlock();
    }
    if (left != null) {
      left.end();
    }
    if (failure != null) {
      current.fail(failure);
    }
    return new Sent(counted, current::giveUp);
  }

  /** Gives up the current stream: what is under way fails. */
  void reset(String why) {
    Call current;
    lock.lock();
    try {
      current = call;
      call = null;
    } finally {
      lock.unlock();
    }
    if (current != null) {
      current.cancel(why);
    }
  }

  /** Gives up the current stream and every later request. */
  void close() {
    lock.lock();
    try {
      closed = true;
    } finally {
      lock.unlock();
    }
    reset("the page source is closed");
  }

  private record Waiting(long id, CompletableFuture<ByteString> answer) {}

  private final class Call implements ClientResponseObserver<GetPagesRequest, GetPagesResponse> {
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private final long epoch;
    private final ReadToken.Shown shown = token.shown();

    /** Why no answer comes any more; guarded by {@code waiting}. */
    private @Nullable Throwable ended;

    private @Nullable StreamObserver<GetPagesRequest> requests;
    private @Nullable ClientCallStreamObserver<GetPagesRequest> control;

    Call(long epoch) {
      this.epoch = epoch;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<GetPagesRequest> stream) {
      control = stream;
    }

    StreamObserver<GetPagesRequest> requests() {
      StreamObserver<GetPagesRequest> observer = requests;
      if (observer == null) {
        throw new IllegalStateException("the stream is not open");
      }
      return observer;
    }

    /** False when the call has failed, as one may before it is begun; so has the request then. */
    boolean add(Waiting one) {
      Throwable failure;
      synchronized (waiting) {
        failure = ended;
        if (failure == null) {
          waiting.add(one);
          return true;
        }
      }
      one.answer().completeExceptionally(failure);
      return false;
    }

    /** No more requests; those under way are answered. */
    void end() {
      try {
        requests().onCompleted();
      } catch (IllegalStateException e) {
        // It broke before; what was under way knows.
      }
    }

    void giveUp() {
      connection.renew(epoch);
      cancel("no answer came in time");
    }

    void cancel(String why) {
      forget();
      ClientCallStreamObserver<GetPagesRequest> stream = control;
      if (stream != null) {
        stream.cancel(why, null);
      }
      fail(Status.CANCELLED.withDescription(why).asRuntimeException());
    }

    @Override
    public void onNext(GetPagesResponse response) {
      Waiting first;
      synchronized (waiting) {
        first = waiting.poll();
      }
      if (first == null || first.id() != response.getRequestId()) {
        String text = "the pageserver answered request " + response.getRequestId() + " out of turn";
        if (first != null) {
          first
              .answer()
              .completeExceptionally(Status.DATA_LOSS.withDescription(text).asRuntimeException());
        }
        reset(text);
        return;
      }
      if (response.getStatusCode() != 0) {
        if (response.getStatusCode() == Status.Code.ABORTED.value()) {
          connection.renew(epoch); // UNAVAILABLE is the server's own word here, not the network's
        }
        if (response.getStatusCode() == Status.Code.UNAUTHENTICATED.value()) {
          token.refuse(shown);
        }
        first
            .answer()
            .completeExceptionally(
                Status.fromCodeValue(response.getStatusCode())
                    .withDescription(response.getStatusMessage())
                    .asRuntimeException());
        return;
      }
      first.answer().complete(response.getPages());
    }

    @Override
    public void onError(Throwable failure) {
      Status.Code code = Status.fromThrowable(failure).getCode();
      if (isCurrent()) {
        connection.renewAfter(code, epoch);
      }
      if (code == Status.Code.UNAUTHENTICATED) {
        token.refuse(shown);
      }
      fail(failure);
    }

    /** False when it was given up or left for a newer one. */
    private boolean isCurrent() {
      lock.lock();
      try {
        return call == this;
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void onCompleted() {
      fail(
          Status.UNAVAILABLE
              .withDescription("the pageserver ended the stream")
              .asRuntimeException());
    }

    /** The next request opens a new call. */
    private void forget() {
      lock.lock();
      try {
        if (call == this) {
          call = null;
        }
      } finally {
        lock.unlock();
      }
    }

    void fail(Throwable failure) {
      forget();
      while (true) {
        Waiting first;
        synchronized (waiting) {
          ended = failure;
          first = waiting.poll();
        }
        if (first == null) {
          return;
        }
        first.answer().completeExceptionally(failure);
      }
    }
  }
}
