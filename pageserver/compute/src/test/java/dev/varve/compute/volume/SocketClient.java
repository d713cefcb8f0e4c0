package dev.varve.compute.volume;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A gRPC channel to a Unix socket, as the kubelet has one. */
final class SocketClient implements AutoCloseable {
  /** As in {@link UnixSocketServer}: Unix sockets have no keep-alive. */
  private static final Logger NETTY_OPTIONS = Logger.getLogger("io.netty.bootstrap");

  static {
    NETTY_OPTIONS.setLevel(Level.SEVERE);
  }

  private final EventLoopGroup loop = new NioEventLoopGroup(1);
  private final ManagedChannel channel;

  SocketClient(Path socket) {
    channel =
        NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
            .channelType(NioDomainSocketChannel.class)
            .eventLoopGroup(loop)
            .overrideAuthority("localhost")
            .usePlaintext()
            .build();
  }

  ManagedChannel channel() {
    return channel;
  }

  @Override
  public void close() {
    channel.shutdownNow();
    var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
