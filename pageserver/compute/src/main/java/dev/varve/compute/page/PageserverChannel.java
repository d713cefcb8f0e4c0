package dev.varve.compute.page;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.util.concurrent.TimeUnit;

/**
 * How a compute connects to a pageserver: plain text, large windows, answers handled on the network
 * thread.
 */
public final class PageserverChannel {
  private static final int MAX_MESSAGE_BYTES = 16 << 20;
  private static final int WINDOW_BYTES = 8 << 20;

  private PageserverChannel() {}

  /**
   * @param address {@code host:port}
   */
  public static ManagedChannel open(String address) {
    return NettyChannelBuilder.forTarget(address)
        .usePlaintext()
        .directExecutor()
        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
        .flowControlWindow(WINDOW_BYTES)
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }
}
