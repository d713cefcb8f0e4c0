package dev.varve.bench;

import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationFork;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.SynchronousQueue;
import org.jspecify.annotations.Nullable;

/**
 * One client: a connection and a stream of its own, one page asked for at a time, the next when the
 * answer is there. One thread.
 */
final class PageClient implements AutoCloseable, StreamObserver<GetPagesResponse> {
  private final ManagedChannel channel;
  private final StreamObserver<GetPagesRequest> requests;
  private final RelationFork relation;
  private final SynchronousQueue<GetPagesResponse> answers = new SynchronousQueue<>();
  private volatile @Nullable Throwable failure;

  PageClient(String address, RelationFork relation) {
    this.relation = relation;
    this.channel = ManagedChannelBuilder.forTarget(address).usePlaintext().directExecutor().build();
    this.requests = PageServiceGrpc.newStub(channel).getPages(this);
  }

  void read(int block, long lsn) throws InterruptedException {
    requests.onNext(
        GetPagesRequest.newBuilder()
            .setTimeline(PageserverUnderTest.TIMELINE)
            .setLsn(lsn)
            .setRelation(relation)
            .setFirstBlock(block)
            .setBlockCount(1)
            .build());
    GetPagesResponse answer = answers.take();
    if (answer.getStatusCode() != 0 || answer.getPages().size() != 8192) {
      throw new IllegalStateException(
          "block " + block + ": " + answer.getStatusMessage() + " " + failure);
    }
  }

  @Override
  public void onNext(GetPagesResponse answer) {
    try {
      answers.put(answer);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void onError(Throwable reason) {
    failure = reason;
    answers.offer(GetPagesResponse.newBuilder().setStatusCode(2).build());
  }

  @Override
  public void onCompleted() {}

  @Override
  public void close() {
    requests.onCompleted();
    channel.shutdownNow();
  }
}
