package dev.varve.compute.volume;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A gRPC server on a Unix socket, through the JDK's own domain sockets: no native transport. Calls
 * run on virtual threads and may block.
 */
final class UnixSocketServer implements AutoCloseable {
  private static final long CLOSE_SECONDS = 5;

  private final Path socket;
  private final Server server;
  private final EventLoopGroup loops;
  private final ExecutorService calls;

  private UnixSocketServer(
      Path socket, Server server, EventLoopGroup loops, ExecutorService calls) {
    this.socket = socket;
    this.server = server;
    this.loops = loops;
    this.calls = calls;
  }

  /**
   * Listens; a socket file that a process which ended left behind is replaced. Only the owner may
   * connect.
   *
   * @param socket at most 107 bytes long, as the kernel wants it
   */
  static UnixSocketServer open(Path socket, List<BindableService> services) throws IOException {
    Files.deleteIfExists(socket);
    EventLoopGroup loops = new NioEventLoopGroup(1);
    ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
            .channelType(NioServerDomainSocketChannel.class)
            // Unix sockets have none; null takes gRPC's own setting away.
            .withChildOption(ChannelOption.SO_KEEPALIVE, null)
            .bossEventLoopGroup(loops)
            .workerEventLoopGroup(loops)
            .executor(calls);
    services.forEach(builder::addService);
    try {
      Server server = builder.build().start();
      Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
      return new UnixSocketServer(socket, server, loops, calls);
    } catch (IOException e) {
      var _ = loops.shutdownGracefully();
      calls.shutdown();
      throw e;
    }
  }

  Path socket() {
    return socket;
  }

  /** Lets calls under way end, for a few seconds, and removes the socket. */
  @Override
  public void close() {
    server.shutdown();
    try {
      if (!server.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        server.shutdownNow();
      }
      Files.deleteIfExists(socket);
    } catch (InterruptedException e) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      // the next start replaces it
    }
    calls.shutdown();
    var _ = loops.shutdownGracefully(0, CLOSE_SECONDS, TimeUnit.SECONDS);
  }
}
