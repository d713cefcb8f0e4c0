package dev.varve.compute.page;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.PageServiceGrpc;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Reads go on when what answers at an address moves, breaks or falls silent. */
final class ReconnectTest {
  private static final RelationFork FORK = new RelationFork(1663, 5, 16384, 0);
  private static final Duration LIMIT = Duration.ofMinutes(1);

  private Answerer a;
  private Answerer b;
  private Network service;
  private PageserverConnection connection;
  private GrpcPageSource orders;
  private GrpcPageSource bills;

  /** A pageserver whose pages are full of one byte. */
  private static final class Answerer extends PageServiceGrpc.PageServiceImplBase
      implements AutoCloseable {
    final byte fill;
    final Server server;

    /** Timelines that are not here. */
    final Set<String> gone = ConcurrentHashMap.newKeySet();

    /** Open: answers at once; else answers of the timeline "slow" wait for it. */
    final CountDownLatch slow = new CountDownLatch(1);

    final CountDownLatch slowAsked = new CountDownLatch(1);

    Answerer(int fill) throws IOException {
      this.fill = (byte) fill;
      server =
          NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
              .addService(this)
              .build()
              .start();
    }

    @Override
    public StreamObserver<GetPagesRequest> getPages(StreamObserver<GetPagesResponse> answers) {
      return new StreamObserver<>() {
        @Override
        public void onNext(GetPagesRequest request) {
          answers.onNext(answer(request));
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          answers.onCompleted();
        }
      };
    }

    private GetPagesResponse answer(GetPagesRequest request) {
      GetPagesResponse.Builder answer =
          GetPagesResponse.newBuilder().setRequestId(request.getRequestId());
      if (gone.contains(request.getTimeline())) {
        return answer
            .setStatusCode(Status.Code.ABORTED.value())
            .setStatusMessage("not here")
            .build();
      }
      if (request.getTimeline().equals("slow")) {
        slowAsked.countDown();
        try {
          slow.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
      byte[] pages = new byte[request.getBlockCount() * PageSource.PAGE_BYTES];
      Arrays.fill(pages, fill);
      return answer.setPages(ByteString.copyFrom(pages)).build();
    }

    @Override
    public void listRelations(
        ListRelationsRequest request, StreamObserver<ListRelationsResponse> answers) {
      if (gone.contains(request.getTimeline())) {
        answers.onError(Status.ABORTED.withDescription("not here").asRuntimeException());
        return;
      }
      answers.onNext(
          ListRelationsResponse.newBuilder()
              .addRelationNumberDeltas(fill)
              .addBlocks(1)
              .setForks(ByteString.copyFrom(new byte[1]))
              .build());
      answers.onCompleted();
    }

    @Override
    public void close() {
      slow.countDown();
      server.shutdownNow();
    }
  }

  @BeforeEach
  void start() throws IOException {
    a = new Answerer('a');
    b = new Answerer('b');
    service = new Network(a.server.getPort());
    connection = PageserverConnection.to(service.address());
    orders = source("orders");
    bills = source("bills");
  }

  @AfterEach
  void stop() {
    orders.close();
    bills.close();
    connection.close();
    service.close();
    a.close();
    b.close();
  }

  private GrpcPageSource source(String timeline) {
    return new GrpcPageSource(connection, null, timeline, 1, LIMIT);
  }

  private static char read(PageSource pages) throws IOException {
    return (char) pages.readPages(FORK, 0, 1, false, Waiter.PATIENT).get(0);
  }

  private static char list(PageSource pages) throws IOException {
    return (char) pages.listRelations(1663, 5, 0, Waiter.PATIENT).relation(0);
  }

  private interface Reading {
    char read() throws IOException;
  }

  /** Asserts that {@code reading} comes from B, and how soon. */
  private static void assertFromB(Reading reading, long withinMillis) throws IOException {
    long start = System.nanoTime();
    assertEquals('b', reading.read());
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
    System.out.println("read from B after " + millis + " ms");
    assertTrue(millis < withinMillis, "only after " + millis + " ms");
  }

  @Test
  void followsWhatIsNotHereAnyMore() throws Exception {
    assertEquals('a', read(orders));
    assertEquals('a', read(bills));
    service.leadTo(b.server.getPort());
    assertEquals('a', read(orders), "an open connection stays");
    a.gone.add("orders");
    assertFromB(() -> read(orders), 3_000);
    a.gone.add("bills");
    assertFromB(() -> read(bills), 3_000);
    assertEquals(2, service.made(), "connections for what all readers share");
  }

  @Test
  void listsFollowToo() throws Exception {
    assertEquals('a', list(orders));
    service.leadTo(b.server.getPort());
    a.gone.add("orders");
    assertFromB(() -> list(orders), 3_000);
  }

  /** What one volume is told is nothing to a read of another that is under way. */
  @Test
  void leavesTheReadsOfOthersAlone() throws Exception {
    try (GrpcPageSource slow = source("slow");
        ExecutorService other = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Character> waiting = other.submit(() -> read(slow));
      a.slowAsked.await();
      assertEquals('a', read(orders));
      service.leadTo(b.server.getPort());
      a.gone.add("orders");
      assertFromB(() -> read(orders), 3_000);
      a.slow.countDown();
      assertEquals('a', waiting.get());
      b.slow.countDown();
      assertEquals('b', read(slow));
    }
  }

  @Test
  void followsWhatBroke() throws Exception {
    assertEquals('a', read(orders));
    service.leadTo(b.server.getPort());
    service.cut();
    assertFromB(() -> read(orders), 3_000);
    assertFromB(() -> list(bills), 3_000);
  }

  /** Nobody is there for a while: no long pause follows when somebody is. */
  @Test
  void findsWhoComesLate() throws Exception {
    assertEquals('a', read(orders));
    a.server.shutdownNow().awaitTermination();
    try (ExecutorService other = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Character> waiting = other.submit(() -> read(orders));
      // Longer than gRPC's first pauses between attempts to connect.
      TimeUnit.SECONDS.sleep(4);
      service.leadTo(b.server.getPort());
      assertFromB(() -> read(bills), 2_000);
      assertEquals('b', waiting.get(2, TimeUnit.SECONDS));
    }
  }

  @Test
  void givesUpWhoFellSilent() throws Exception {
    assertEquals('a', read(orders));
    assertEquals('a', read(bills));
    service.silence();
    service.leadTo(b.server.getPort());
    assertFromB(() -> read(orders), 10_000);
    // The other volume's streams are on the silent connection still; its next read need not find
    // out.
    assertFromB(() -> read(bills), 2_000);
    assertFromB(() -> list(bills), 2_000);
  }

  @Test
  void listsGiveUpWhoFellSilent() throws Exception {
    assertEquals('a', list(orders));
    service.silence();
    service.leadTo(b.server.getPort());
    assertFromB(() -> list(orders), 10_000);
  }
}
