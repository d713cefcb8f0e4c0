package dev.varve.server.grpc;

import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.engine.timeline.Timeline;
import dev.varve.server.attachment.Attachment;
import dev.varve.server.attachment.Attachments;
import dev.varve.server.attachment.Token;
import dev.varve.server.grpc.Requests.ReadTarget;
import dev.varve.server.metrics.PageMeter;
import dev.varve.server.metrics.PageMeters;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One GetPages stream. A request whose pages are cached is answered on the connection's own thread,
 * without a hop; others are read on virtual threads, several at once, and answered in the order of
 * the requests. At most {@code pipeline} requests are taken in before the first is answered, and
 * none while the client does not read: a slow client costs that much memory and no more.
 */
final class PageStream implements StreamObserver<GetPagesRequest> {
  private final ServerCallStreamObserver<GetPagesResponse> out;
  private final Attachments attachments;
  private final PageReads reads;
  private final PageMeters meters;
  private final BlockingReads blocking;
  private final @Nullable Token token = Bearer.shown();

  /** Requests that are being read, oldest first; guarded by this, as is everything below. */
  private final ArrayDeque<Pending> pending = new ArrayDeque<>();

  private int owedRequests;
  private boolean halfClosed;
  private boolean completed;

  // Of the connection's thread only: the timeline that the last request named.
  private String lastName = "";
  private @Nullable ReadTarget lastTarget;

  PageStream(
      ServerCallStreamObserver<GetPagesResponse> out,
      Attachments attachments,
      PageReads reads,
      PageMeters meters,
      BlockingReads blocking,
      int pipeline) {
    this.out = out;
    this.attachments = attachments;
    this.reads = reads;
    this.meters = meters;
    this.blocking = blocking;
    out.disableAutoRequest();
    out.setOnReadyHandler(this::ready);
    out.setOnCancelHandler(this::cancelled);
    out.request(pipeline);
  }

  private static final class Pending {
    final GetPagesRequest request;
    final long startNanos;
    @Nullable GetPagesResponse response;

    Pending(GetPagesRequest request, long startNanos) {
      this.request = request;
      this.startNanos = startNanos;
    }
  }

  @Override
  public void onNext(GetPagesRequest request) {
    long startNanos = System.nanoTime();
    ReadTarget target;
    PageMeter meter;
    try {
      target = target(request.getTimeline());
      Attachment attachment = attachments.get(target.id(), target.uid(), token);
      meter = meters.of(attachment.id());
      GetPagesResponse hit = reads.cached(attachment.timeline(), request);
      if (hit != null && answerAtOnce(hit)) {
        meter.answered(request.getBlockCount(), System.nanoTime() - startNanos);
        return;
      }
    } catch (RuntimeException e) {
      enqueue(new Pending(request, startNanos), PageReads.failed(request, e));
      return;
    }
    Pending entry = new Pending(request, startNanos);
    enqueue(entry, null);
    blocking.execute(request.getTimeline(), room -> read(entry, target, meter, room));
  }

  private ReadTarget target(String name) {
    ReadTarget target = lastTarget;
    if (target == null || !name.equals(lastName)) {
      target = Requests.read(name);
      lastTarget = target;
      lastName = name;
    }
    return target;
  }

  private void read(Pending entry, ReadTarget target, PageMeter meter, BlockingReads.Room room) {
    GetPagesResponse response;
    try {
      Timeline timeline = attachments.get(target.id(), target.uid(), token).timeline();
      reads.awaitLsn(timeline, entry.request);
      response = room.read(() -> reads.read(timeline, entry.request));
      meter.answered(entry.request.getBlockCount(), System.nanoTime() - entry.startNanos);
    } catch (RuntimeException | Error e) {
      response = PageReads.failed(entry.request, e);
      meter.failed(response.getStatusCode());
    }
    synchronized (this) {
      entry.response = response;
      drain();
    }
  }

  /** Answers now unless an earlier request is still being read. */
  private synchronized boolean answerAtOnce(GetPagesResponse response) {
    if (!pending.isEmpty()) {
      return false;
    }
    send(response);
    return true;
  }

  private synchronized void enqueue(Pending entry, @Nullable GetPagesResponse response) {
    entry.response = response;
    pending.add(entry);
    drain();
  }

  private synchronized void drain() {
    while (!pending.isEmpty()) {
      GetPagesResponse response = pending.getFirst().response;
      if (response == null) {
        return;
      }
      pending.removeFirst();
      send(response);
    }
    completeIfDone();
  }

  private synchronized void send(GetPagesResponse response) {
    if (completed || out.isCancelled()) {
      return;
    }
    out.onNext(response);
    if (out.isReady()) {
      out.request(1);
    } else {
      owedRequests++;
    }
  }

  private synchronized void ready() {
    if (owedRequests > 0) {
      out.request(owedRequests);
      owedRequests = 0;
    }
  }

  private synchronized void cancelled() {
    completed = true;
  }

  private synchronized void completeIfDone() {
    if (halfClosed && pending.isEmpty() && !completed) {
      completed = true;
      out.onCompleted();
    }
  }

  /** The client went away; what is being read is dropped when it comes. */
  @Override
  public void onError(Throwable t) {
    cancelled();
  }

  @Override
  public synchronized void onCompleted() {
    halfClosed = true;
    completeIfDone();
  }
}
