package dev.varve.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.testkit.Amcheck;
import dev.varve.testkit.PostgresServer;
import dev.varve.testkit.TableHashes;
import dev.varve.testkit.TpcB;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * The pageserver is killed twenty times at random while it takes in WAL, every other time with its
 * disk wiped; in the end a compute on it has the primary's data.
 */
final class PageserverCrashIT {
  private static final int KILLS = 20;

  static boolean canMount() {
    return Files.exists(Path.of("/dev/fuse")) && PostgresServer.isRoot();
  }

  @Test
  @EnabledIf(value = "canMount", disabledReason = "the page mount wants root and /dev/fuse")
  void losesNothing() throws Exception {
    long seed = Long.getLong("varve.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    Path home = PostgresServer.temporaryDirectory();
    Path root = Path.of("").toAbsolutePath().resolve("../..").normalize();
    Path application = root.resolve("pageserver/server/target/quarkus-app/quarkus-run.jar");
    String store = "directory:" + home.resolve("objects");
    Path local = home.resolve("pageserver");
    Path log = home.resolve("pageserver.log");
    int port = freePort();
    int httpPort = freePort();
    PostgresServer primary = PostgresServer.builder(17).start();
    PageserverProcess pageserver =
        PageserverProcess.start(application, store, local, log, port, httpPort);
    try {
      TpcB load = new TpcB(primary, 1);
      load.initialize();
      pageserver.attach(primary.port());
      pageserver.awaitStatus("attach", PageserverCrashIT::isActive);
      AtomicBoolean enough = new AtomicBoolean();
      Thread writer =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  load.run(1, 1, done -> enough.get());
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
      for (int kill = 0; kill < KILLS; kill++) {
        Thread.sleep(random.nextInt(50, 700));
        pageserver.kill();
        boolean wipe = kill % 2 == 0;
        if (wipe) {
          PostgresServer.deleteTree(local);
        }
        pageserver = PageserverProcess.start(application, store, local, log, port, httpPort);
        if (wipe) {
          pageserver.attach(primary.port());
        }
        pageserver.awaitStatus("attach", PageserverCrashIT::isActive);
      }
      enough.set(true);
      writer.join();
      SortedMap<String, String> expected = TableHashes.of(primary);
      long lsn = LocalRun.lsn(primary);
      pageserver.awaitStatus("catching up", status -> status.getReceivedLsn() >= lsn);
      Options options = Options.parse(new String[] {"--major", "17"});
      ComputeProcess compute =
          ComputeProcess.start(
              root, options, pageserver.address(), lsn, home.resolve("compute"), freePort());
      try {
        compute.awaitQuery("select 1");
        assertEquals(expected, TableHashes.of(compute.server()), "seed " + seed);
        assertEquals(List.of(), Amcheck.complaints(compute.server()), "seed " + seed);
      } finally {
        compute.stop();
      }
      assertTrue(pageserver.status().getGeneration() > KILLS, "each start attached anew");
    } finally {
      pageserver.stop();
      primary.close();
      PostgresServer.deleteTree(home);
    }
  }

  private static boolean isActive(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE;
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
