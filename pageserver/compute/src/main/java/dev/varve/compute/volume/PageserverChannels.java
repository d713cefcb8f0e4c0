package dev.varve.compute.volume;

import dev.varve.compute.page.PageserverChannel;
import dev.varve.compute.page.PageserverConnection;
import java.util.HashMap;
import java.util.Map;

/**
 * The connections of a node to pageservers: one per address, shared by all volumes that read from
 * it, closed when the last of them ends. Thread-safe.
 */
final class PageserverChannels {
  private final Map<String, Shared> open = new HashMap<>();

  private static final class Shared {
    final PageserverConnection connection;
    int users;

    Shared(PageserverConnection connection) {
      this.connection = connection;
    }
  }

  /** One volume's use of a connection; given back by {@link #close}, once. */
  final class Lease implements AutoCloseable {
    private final String address;
    private final PageserverConnection connection;
    private boolean closed;

    private Lease(String address, PageserverConnection connection) {
      this.address = address;
      this.connection = connection;
    }

    PageserverConnection connection() {
      return connection;
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
          connection.close();
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

    PageserverConnection to(int shard) {
      return taken
          .computeIfAbsent(
              PageserverChannel.address(pattern, shard), PageserverChannels.this::lease)
          .connection();
    }

    @Override
    public void close() {
      taken.values().forEach(Lease::close);
    }
  }

  /**
   * @param pattern as {@link PageserverChannel#address} takes it
   */
  Leases leases(String pattern) {
    return new Leases(pattern);
  }

  /**
   * @param address {@code host:port}
   */
  Lease lease(String address) {
    synchronized (open) {
      Shared shared =
          open.computeIfAbsent(address, key -> new Shared(PageserverConnection.to(key)));
      shared.users++;
      shared.connection.hurry();
      return new Lease(address, shared.connection);
    }
  }

  /** The number of connections; for tests and metrics. */
  int size() {
    synchronized (open) {
      return open.size();
    }
  }
}
