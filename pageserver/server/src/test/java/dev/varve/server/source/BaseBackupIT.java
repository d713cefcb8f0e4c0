package dev.varve.server.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.tenant.TimelineName;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A base backup over a line that stays open and moves nothing any more. */
final class BaseBackupIT {
  private static final int BYTES = 4 << 20;

  @Test
  @Timeout(60)
  void endsWhenTheLineIsSilent() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    try (PostgresServer primary = PostgresServer.builder(17).start();
        ServerSocket line = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> accept(line, primary.port(), over));
      PrimarySource source =
          new PrimarySource(
              SourceSettings.of(
                  new TimelineName("test", "main"),
                  "127.0.0.1",
                  line.getLocalPort(),
                  "postgres",
                  "",
                  "",
                  SslMode.DISABLE,
                  ""),
              new Tls(null));
      AtomicLong copied = new AtomicLong();
      try (BaseBackup backup = new BaseBackup(source, copied, Duration.ofSeconds(2))) {
        PrimaryIdentity identity = source.identify();
        SourceException e =
            assertThrows(SourceException.class, () -> backup.copy(identity, new Discard()));
        assertEquals(SourceException.Kind.UNREACHABLE, e.kind());
        assertTrue(String.valueOf(e.getMessage()).contains("did not answer in time"), e::toString);
        assertTrue(copied.get() > 0);
      }
    } finally {
      over.countDown();
    }
  }

  private static void accept(ServerSocket line, int port, CountDownLatch over) {
    while (!line.isClosed()) {
      try {
        Socket client = line.accept();
        Socket server = new Socket(InetAddress.getLoopbackAddress(), port);
        Thread.ofVirtual().start(() -> pass(client, server, Long.MAX_VALUE, over));
        Thread.ofVirtual().start(() -> pass(server, client, BYTES, over));
      } catch (IOException e) {
        // Closed.
      }
    }
  }

  /** Passes so many bytes, and then holds the line. */
  private static void pass(Socket from, Socket to, long bytes, CountDownLatch over) {
    byte[] piece = new byte[8 << 10];
    try (from;
        to) {
      for (long passed = 0; passed < bytes; ) {
        int count = from.getInputStream().read(piece);
        if (count < 0) {
          return;
        }
        to.getOutputStream().write(piece, 0, count);
        passed += count;
      }
      over.await();
    } catch (IOException e) {
      // One end is gone.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static final class Discard implements BackupSink {
    @Override
    public void file(String path, long length, InputStream contents) throws IOException {
      contents.skipNBytes(length);
    }

    @Override
    public void directory(String path) {}

    @Override
    public void link(String path, String location) {}
  }
}
