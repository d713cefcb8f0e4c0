package dev.varve.compute.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.Zstd;
import com.google.protobuf.ByteString;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.compute.page.PageserverConnection;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An image that takes long, part by part. */
class GrpcImageTest {
  private static final Duration LIMIT = Duration.ofSeconds(2);
  private static final Duration FIRST_LIMIT = Duration.ofSeconds(30);
  private static final int PARTS = 4;

  private final LinkedBlockingQueue<StreamObserver<GetThinImageResponse>> images =
      new LinkedBlockingQueue<>();
  private Server server;
  private PageserverConnection connection;

  @BeforeEach
  void serve() throws Exception {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(
                new PageServiceGrpc.PageServiceImplBase() {
                  @Override
                  public void getThinImage(
                      GetThinImageRequest request, StreamObserver<GetThinImageResponse> answers) {
                    answers.onNext(
                        GetThinImageResponse.newBuilder()
                            .setHeader(ThinImageHeader.newBuilder().setLsn(7))
                            .build());
                    images.add(answers);
                  }
                })
            .build()
            .start();
    connection = PageserverConnection.to("127.0.0.1:" + server.getPort());
    request(FIRST_LIMIT).close(); // connects, and loads the classes
    asked();
  }

  @AfterEach
  void end() {
    connection.close();
    server.shutdownNow();
  }

  private GrpcImage request() throws IOException {
    return request(LIMIT);
  }

  private GrpcImage request(Duration limit) throws IOException {
    return GrpcImage.request(connection, null, "a/b", 0, true, limit);
  }

  private StreamObserver<GetThinImageResponse> asked() throws InterruptedException {
    return images.poll(30, TimeUnit.SECONDS);
  }

  private static GetThinImageResponse part(int value) {
    byte[] frame = Zstd.compress(new byte[] {(byte) value});
    return GetThinImageResponse.newBuilder().setChunk(ByteString.copyFrom(frame)).build();
  }

  @Test
  void theLimitIsForEachPart() throws Exception {
    long start = System.nanoTime();
    try (GrpcImage image = request()) {
      assertEquals(7, image.header().getLsn());
      StreamObserver<GetThinImageResponse> answers = asked();
      for (int i = 1; i <= PARTS; i++) {
        long until = start + i * LIMIT.toNanos() / 3;
        while (System.nanoTime() < until) {
          Thread.onSpinWait();
        }
        answers.onNext(part(i));
        assertEquals(i, image.tar().read());
      }
      answers.onCompleted();
      assertEquals(-1, image.tar().read());
    }
  }

  @Test
  void aPartThatDoesNotComeEndsIt() throws Exception {
    try (GrpcImage image = request()) {
      asked().onNext(part(1));
      assertEquals(1, image.tar().read());
      IOException late = assertThrows(IOException.class, () -> image.tar().read());
      assertTrue(late.getMessage().contains("nothing came for"), late.getMessage());
    }
  }
}
