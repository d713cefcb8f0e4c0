package dev.varve.server.grpc;

import dev.varve.server.attachment.Attachments;
import dev.varve.server.metrics.PageMeters;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The gRPC server: grpc-netty with no executor between the connection and the services
 * (docs/decisions/0011-grpc-server.md). Owned by the application, which starts and closes it.
 */
public final class GrpcServer implements AutoCloseable {
  private static final int MAX_REQUEST_BYTES = 64 << 10;
  private static final int FLOW_CONTROL_WINDOW_BYTES = 8 << 20;
  private static final long GRACE_SECONDS = 2;

  static {
    // Netty's search for leaked buffers: a stack trace at each step of one buffer in 128.
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
  }

  private final BlockingReads blocking;
  private final Server server;

  /**
   * {@code port} 0: any free one. {@code pipeline} and {@code lsnTimeout}: per stream and read.
   * {@code managementToken} null: everybody may manage.
   */
  public GrpcServer(
      String host,
      int port,
      Attachments attachments,
      PageMeters meters,
      int concurrency,
      int pipeline,
      Duration lsnTimeout,
      @Nullable String managementToken) {
    blocking = new BlockingReads(concurrency);
    server =
        NettyServerBuilder.forAddress(address(host, port))
            .directExecutor()
            .maxInboundMessageSize(MAX_REQUEST_BYTES)
            .flowControlWindow(FLOW_CONTROL_WINDOW_BYTES)
            .permitKeepAliveTime(5, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .intercept(new Bearer())
            .addService(new PageService(attachments, meters, blocking, lsnTimeout, pipeline))
            .addService(new ManagementService(attachments, blocking, managementToken))
            .build();
  }

  private static InetSocketAddress address(String host, int port) {
    try {
      return new InetSocketAddress(InetAddress.getByName(host), port);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "varve.grpc.host=" + host + " is not an address of this machine", e);
    }
  }

  public void start() throws IOException {
    server.start();
  }

  /** Where it listens. */
  public int port() {
    return server.getPort();
  }

  /** Lets calls end for a moment, then ends them. */
  @Override
  public void close() {
    server.shutdown();
    try {
      if (!server.awaitTermination(GRACE_SECONDS, TimeUnit.SECONDS)) {
        server.shutdownNow();
      }
    } catch (InterruptedException e) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    }
    blocking.close();
  }
}
