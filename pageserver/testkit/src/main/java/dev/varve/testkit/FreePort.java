package dev.varve.testkit;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.atomic.AtomicInteger;

/** TCP ports of the loopback interface that nobody listens on. */
public final class FreePort {
  private static final int FIRST_RESERVED = 12_000;
  private static final int RESERVED = 20_000;

  private static final AtomicInteger NEXT =
      new AtomicInteger((int) (ProcessHandle.current().pid() * 100 % RESERVED));

  private FreePort() {}

  /** One that is free now; somebody may be faster to take it. */
  public static int any() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  /**
   * One that is free now and below those that the kernel gives away, so that hardly anybody else
   * takes it before it is used: for servers that start late or again.
   */
  public static int reserved() throws IOException {
    while (true) {
      int port = FIRST_RESERVED + Math.floorMod(NEXT.getAndIncrement(), RESERVED);
      try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return socket.getLocalPort();
      } catch (BindException e) {
        // Somebody has it; the next one.
      }
    }
  }
}
