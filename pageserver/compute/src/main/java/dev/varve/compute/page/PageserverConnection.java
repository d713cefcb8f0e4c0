package dev.varve.compute.page;

import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The connection to whatever pageserver answers at one address: a Service's, which leads to another
 * pageserver when a shard moves. A connection that is open stays where it is, so readers renew it
 * when they are told that the shard is not there, when it breaks, and when no answer comes. Shared
 * by all readers of the address; owned by whoever opened it. Thread-safe.
 *
 * <p>Connections are counted by <em>epochs</em>. A call belongs to the epoch in which it began; one
 * that fails renews the connection only if nobody has done so since. Calls of an older epoch that
 * are answered end undisturbed.
 */
public final class PageserverConnection implements AutoCloseable {
  private static final long RENEW_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final ManagedChannel channel;
  private long renewedNanos = System.nanoTime() - RENEW_PAUSE_NANOS;
  private volatile long epoch;

  private PageserverConnection(ManagedChannel channel) {
    this.channel = channel;
  }

  /**
   * Opens nothing yet: the first call does.
   *
   * @param address {@code host:port}
   */
  public static PageserverConnection to(String address) {
    return new PageserverConnection(PageserverChannel.open(address));
  }

  /**
   * For one tenant's calls.
   *
   * @param token null for none
   */
  public Channel channel(@Nullable String token) {
    return PageserverChannel.withToken(channel, token);
  }

  /** For one volume's calls, each of which shows what the token is then. */
  Channel channel(ReadToken token) {
    return PageserverChannel.withToken(channel, token);
  }

  /** Asked before a call begins. */
  public long epoch() {
    return epoch;
  }

  /**
   * Calls that begin from now on get a new connection. Does nothing when that was so since the
   * failed call began, or a moment ago.
   *
   * @param failedEpoch when the call that failed began
   */
  public synchronized void renew(long failedEpoch) {
    long now = System.nanoTime();
    if (epoch != failedEpoch || now - renewedNanos < RENEW_PAUSE_NANOS) {
      return;
    }
    renewedNanos = now;
    epoch++;
    // Lets go of the connection, and forgets how long to wait before the next one; calls that are
    // under way end on the old one.
    channel.enterIdle();
  }

  /** Renews the connection if a call that ended so may do better over a new one. */
  public void renewAfter(Status.Code code, long failedEpoch) {
    switch (code) {
      case ABORTED, UNAVAILABLE, DEADLINE_EXCEEDED -> renew(failedEpoch);
      default -> {}
    }
  }

  /** Somebody waits: a connection that could not be made is tried again at once. */
  public void hurry() {
    channel.resetConnectBackoff();
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
