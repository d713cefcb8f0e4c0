package dev.varve.compute.page;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A Service's address on the loopback interface: connections go to whom it leads to when they are
 * made, and stay there. Those that there are can break, or fall silent as when a machine loses its
 * power: nothing comes any more, not even their end.
 */
public final class Network implements AutoCloseable {
  private final ServerSocket listener;
  private final Set<Link> links = ConcurrentHashMap.newKeySet();
  private final AtomicInteger made = new AtomicInteger();
  private volatile int target;

  public Network(int target) throws IOException {
    this.target = target;
    listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  private static final class Link {
    final Socket near;
    final Socket far;
    volatile boolean silent;

    Link(Socket near, Socket far) {
      this.near = near;
      this.far = far;
    }

    void copy(Socket from, Socket to) {
      byte[] bytes = new byte[16 << 10];
      try {
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream();
        int count = in.read(bytes);
        while (count >= 0) {
          if (!silent) {
            out.write(bytes, 0, count);
          }
          count = in.read(bytes);
        }
      } catch (IOException e) {
        // The end of this link.
      }
      if (!silent) {
        close();
      }
    }

    void close() {
      quietly(near);
      quietly(far);
    }
  }

  public String address() {
    return "127.0.0.1:" + listener.getLocalPort();
  }

  /** New connections go to this port. */
  public void leadTo(int port) {
    target = port;
  }

  /** How many connections were made. */
  int made() {
    return made.get();
  }

  public void silence() {
    links.forEach(link -> link.silent = true);
  }

  public void cut() {
    links.forEach(Link::close);
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket near = listener.accept();
        made.incrementAndGet();
        lead(near);
      } catch (IOException e) {
        // Closed.
      }
    }
  }

  private void lead(Socket near) {
    try {
      Link link = new Link(near, new Socket(InetAddress.getLoopbackAddress(), target));
      links.add(link);
      Thread.ofVirtual().start(() -> link.copy(link.near, link.far));
      Thread.ofVirtual().start(() -> link.copy(link.far, link.near));
    } catch (IOException e) {
      // Nobody is there.
      quietly(near);
    }
  }

  private static void quietly(AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception e) {
      // Nothing is lost with it.
    }
  }

  @Override
  public void close() {
    quietly(listener);
    cut();
  }
}
