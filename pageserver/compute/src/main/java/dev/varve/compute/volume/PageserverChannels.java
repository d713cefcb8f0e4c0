package dev.varve.compute.volume;

import dev.varve.compute.page.PageserverChannel;
import io.grpc.ManagedChannel;
import java.util.HashMap;
import java.util.Map;

/**
 * The connections of a node to pageservers: one per address, shared by all volumes that read from
 * it, closed when the last of them ends. Thread-safe.
 */
final class PageserverChannels {
  private final Map<String, Shared> open = new HashMap<>();

  private static final class Shared {
    final ManagedChannel channel;
    int users;

    Shared(ManagedChannel channel) {
      this.channel = channel;
    }
  }

  /** One volume's use of a connection; given back by {@link #close}, once. */
  final class Lease implements AutoCloseable {
    private final String address;
    private final ManagedChannel channel;
    private boolean closed;

    private Lease(String address, ManagedChannel channel) {
      this.address = address;
      this.channel = channel;
    }

    ManagedChannel channel() {
      return channel;
    }

    @Override
    public void close() {
      synchronized (open) {
        if (closed) {
          return;
        }
        closed = true;
        Shared shared = open.get(address);
        if (shared != null && --shared.users == 0) {
          open.remove(address);
          channel.shutdownNow();
        }
      }
    }
  }

  /** One volume's connections to the shards of its timeline. Not thread-safe but for reading. */
  final class Leases implements AutoCloseable {
    private final String pattern;
    private final Map<String, Lease> taken = new HashMap<>();

    private Leases(String pattern) {
      this.pattern = pattern;
    }

    ManagedChannel channelTo(int shard) {
      return taken
          .computeIfAbsent(
              PageserverChannel.address(pattern, shard), PageserverChannels.this::lease)
          .channel();
    }

    @Override
    public void close() {
      taken.values().forEach(Lease::close);
    }
  }

  /**
   * @param pattern {@code host:port}, with {@code {shard}} where a shard's number belongs
   */
  Leases leases(String pattern) {
    return new Leases(pattern);
  }

  /**
   * @param address {@code host:port}
   */
  Lease lease(String address) {
    synchronized (open) {
      Shared shared = open.computeIfAbsent(address, key -> new Shared(PageserverChannel.open(key)));
      shared.users++;
      shared.channel.resetConnectBackoff(); // somebody waits: look at once
      return new Lease(address, shared.channel);
    }
  }

  /** The number of connections; for tests and metrics. */
  int size() {
    synchronized (open) {
      return open.size();
    }
  }
}
