package dev.varve.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A TCP relay on the loopback interface: a network that a test can cut, and behind which a primary
 * can change. Its port stays.
 */
final class Relay implements AutoCloseable {
  private final ServerSocket listener;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();

  /** 0: nothing is there. */
  private volatile int target;

  Relay(int target) throws IOException {
    this.target = target;
    listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  int port() {
    return listener.getLocalPort();
  }

  /** From now on connections go there, or nowhere (0); those that there are break. */
  void pointTo(int port) {
    target = port;
    open.forEach(Relay::close);
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket near = listener.accept();
        open.add(near);
        Thread.ofVirtual().start(() -> relay(near));
      } catch (IOException e) {
        // Closed, or a connection that went away before it was taken.
      }
    }
  }

  private void relay(Socket near) {
    int port = target;
    if (port == 0) {
      close(near);
      return;
    }
    try (near;
        Socket far = new Socket(InetAddress.getLoopbackAddress(), port)) {
      open.add(far);
      Thread back = Thread.ofVirtual().start(() -> copy(far, near));
      copy(near, far);
      back.join();
      open.remove(far);
    } catch (IOException e) {
      // The end of this connection; whoever used it is told by it.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    open.remove(near);
  }

  /** Until either end closes; then closes both. */
  private static void copy(Socket from, Socket to) {
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      in.transferTo(out);
    } catch (IOException e) {
      // Both are closed all the same.
    }
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing is lost with it.
    }
  }

  @Override
  public void close() {
    target = 0;
    try {
      listener.close();
    } catch (IOException e) {
      // Nothing is lost with it.
    }
    open.forEach(Relay::close);
  }
}
