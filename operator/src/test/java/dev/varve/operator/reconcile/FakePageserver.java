package dev.varve.operator.reconcile;

import dev.varve.api.v1.AttachTimelineRequest;
import dev.varve.api.v1.AttachTimelineResponse;
import dev.varve.api.v1.DetachTimelineRequest;
import dev.varve.api.v1.DetachTimelineResponse;
import dev.varve.api.v1.GetStoredGenerationRequest;
import dev.varve.api.v1.GetStoredGenerationResponse;
import dev.varve.api.v1.ListTimelinesRequest;
import dev.varve.api.v1.ListTimelinesResponse;
import dev.varve.api.v1.ManagementServiceGrpc;
import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The management half of a pageserver, without pages: what is attached is active at once, and
 * generations are minded in an object store that several of these share.
 */
final class FakePageserver extends ManagementServiceGrpc.ManagementServiceImplBase
    implements AutoCloseable {
  final Map<String, AttachTimelineRequest> attached = new ConcurrentHashMap<>();
  final List<DetachTimelineRequest> detached = new ArrayList<>();
  private final Map<String, Integer> store;
  private final Server server;

  /** Trouble of every source; empty for none. */
  volatile String sourceTrouble = "";

  FakePageserver(Map<String, Integer> store) throws IOException {
    this.store = store;
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(this)
            .build()
            .start();
  }

  int port() {
    return server.getPort();
  }

  @Override
  public synchronized void attachTimeline(
      AttachTimelineRequest request, StreamObserver<AttachTimelineResponse> answer) {
    String id = request.getTenant() + "/" + request.getTimeline();
    int seen = store.getOrDefault(id, 0);
    AttachTimelineRequest present = attached.get(id);
    boolean again = present != null && present.getGeneration() == request.getGeneration();
    if (!again && request.getGeneration() <= seen) {
      answer.onError(
          Status.ABORTED.withDescription("generation " + seen + " has attached").asException());
      return;
    }
    store.put(id, request.getGeneration());
    attached.put(id, request);
    answer.onNext(
        AttachTimelineResponse.newBuilder().setGeneration(request.getGeneration()).build());
    answer.onCompleted();
  }

  @Override
  public synchronized void detachTimeline(
      DetachTimelineRequest request, StreamObserver<DetachTimelineResponse> answer) {
    String id = request.getTenant() + "/" + request.getTimeline();
    attached.remove(id);
    detached.add(request);
    if (request.getDeleteObjects()) {
      store.remove(id);
    }
    answer.onNext(DetachTimelineResponse.getDefaultInstance());
    answer.onCompleted();
  }

  @Override
  public void getStoredGeneration(
      GetStoredGenerationRequest request, StreamObserver<GetStoredGenerationResponse> answer) {
    answer.onNext(
        GetStoredGenerationResponse.newBuilder()
            .setGeneration(store.getOrDefault(request.getTenant() + "/" + request.getTimeline(), 0))
            .build());
    answer.onCompleted();
  }

  @Override
  public void listTimelines(
      ListTimelinesRequest request, StreamObserver<ListTimelinesResponse> answer) {
    ListTimelinesResponse.Builder all = ListTimelinesResponse.newBuilder();
    for (AttachTimelineRequest timeline : attached.values()) {
      all.addTimelines(
          TimelineStatus.newBuilder()
              .setTenant(timeline.getTenant())
              .setTimeline(timeline.getTimeline())
              .setGeneration(timeline.getGeneration())
              .setState(
                  sourceTrouble.isEmpty()
                      ? TimelineState.TIMELINE_STATE_ACTIVE
                      : TimelineState.TIMELINE_STATE_SOURCE_TROUBLE)
              .setProblem(sourceTrouble)
              .setSystemIdentifier(7)
              .setPostgresMajor(17)
              .setReadableFromLsn(0x28)
              .setReceivedLsn(0x1000)
              .setPublishedLsn(0x1000));
    }
    answer.onNext(all.build());
    answer.onCompleted();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
