package dev.varve.bench;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.PageServiceGrpc;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;

/**
 * The floor of a page read: a process that answers every request for pages at once, with zeroes.
 * What gRPC, the kernel and the agent's client cost, without a pageserver.
 */
final class EchoServer implements AutoCloseable {
  private final Process process;
  private final int port;

  private EchoServer(Process process, int port) {
    this.process = process;
    this.port = port;
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
  }

  /** The process that {@link #start} starts: prints its port and serves until it is ended. */
  public static void main(String[] args) throws Exception {
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .addService(new Zeroes())
            .build()
            .start();
    System.out.println(server.getPort());
    server.awaitTermination();
  }

  private static final class Zeroes extends PageServiceGrpc.PageServiceImplBase {
    @Override
    public StreamObserver<GetPagesRequest> getPages(StreamObserver<GetPagesResponse> answers) {
      return new StreamObserver<>() {
        @Override
        public void onNext(GetPagesRequest request) {
          ByteString pages =
              UnsafeByteOperations.unsafeWrap(new byte[request.getBlockCount() * 8192]);
          answers.onNext(
              GetPagesResponse.newBuilder()
                  .setRequestId(request.getRequestId())
                  .setPages(pages)
                  .build());
        }

        @Override
        public void onError(Throwable reason) {}

        @Override
        public void onCompleted() {
          answers.onCompleted();
        }
      };
    }
  }

  static EchoServer start() throws IOException {
    Process process =
        new ProcessBuilder(
                List.of(
                    ProcessHandle.current().info().command().orElse("java"),
                    "-Xmx1g",
                    "--enable-native-access=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow",
                    "-cp",
                    System.getProperty("java.class.path"),
                    EchoServer.class.getName()))
            .directory(Path.of("").toAbsolutePath().toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String line = process.inputReader().readLine();
    return new EchoServer(
        process, Integer.parseInt(Objects.requireNonNull(line, "the echo server did not start")));
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  Duration cpu() {
    return process.info().totalCpuDuration().orElseThrow();
  }

  @Override
  public void close() {
    process.destroy();
  }
}
