package dev.varve.compute.page;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.ChannelOption;
import io.netty.util.ResourceLeakDetector;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How a compute connects to a pageserver: plain text, large windows, answers handled on the network
 * thread.
 */
public final class PageserverChannel {
  private static final int MAX_MESSAGE_BYTES = 16 << 20;
  private static final int WINDOW_BYTES = 8 << 20;

  /** Long enough for a lost SYN to be sent again. */
  private static final int CONNECT_TIMEOUT_MILLIS = 2_000;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  static {
    // Netty would write down the life of one buffer in 128, with a stack trace at each step: for
    // finding leaks, at a fifth of what reading a page costs.
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
  }

  private PageserverChannel() {}

  /**
   * The channel for one tenant's reads: each call carries its token.
   *
   * @param token null for none
   */
  public static Channel withToken(Channel channel, @Nullable String token) {
    if (token == null) {
      return channel;
    }
    Metadata headers = new Metadata();
    headers.put(AUTHORIZATION, "Bearer " + token);
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  /** Likewise, with what the token is when each call begins. */
  static Channel withToken(Channel channel, ReadToken token) {
    return ClientInterceptors.intercept(
        channel,
        new ClientInterceptor() {
          @Override
          public <Q, A> ClientCall<Q, A> interceptCall(
              MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            return withToken(next, token.shown().token()).newCall(method, options);
          }
        });
  }

  /**
   * The address of a shard.
   *
   * @param pattern {@code host:port}, with {@code {shard}} where the shard's number belongs, or
   *     {@code {6400+shard}} for that number plus another; without either all shards are at one
   *     address
   */
  public static String address(String pattern, int shard) {
    if (pattern.indexOf('{') < 0) {
      return pattern;
    }
    return Pattern.compile("\\{(\\d{1,5})\\+shard}")
        .matcher(pattern.replace("{shard}", Integer.toString(shard)))
        .replaceAll(found -> Integer.toString(Integer.parseInt(found.group(1)) + shard));
  }

  /**
   * @param address {@code host:port}
   */
  public static ManagedChannel open(String address) {
    return NettyChannelBuilder.forTarget(address)
        .usePlaintext()
        .directExecutor()
        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
        .flowControlWindow(WINDOW_BYTES)
        .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
        // gRPC pings no more often than this. A read that waits notices a dead peer sooner.
        .keepAliveTime(10, TimeUnit.SECONDS)
        .keepAliveTimeout(3, TimeUnit.SECONDS)
        .build();
  }
}
