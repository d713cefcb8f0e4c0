package dev.varve.local;

import dev.varve.testkit.FreePort;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * One pageserver after another on the same ports, with the same object store; at most one runs.
 *
 * @param home of the store, of the local files and of logs
 * @param shard what they keep; empty: everything
 */
record Pageservers(Path root, Path home, int port, int httpPort, String shard) {
  static Pageservers create() throws IOException {
    Path root = Path.of("").toAbsolutePath().resolve("../..").normalize();
    return new Pageservers(
        root, PostgresServer.temporaryDirectory(), FreePort.any(), FreePort.any(), "");
  }

  /** Two for the shards of a timeline, at ports that differ in the last digit only: 0 and 1. */
  static List<Pageservers> twoShards(int stripeBlocks) throws IOException {
    Pageservers some = create();
    int base = FreePort.any() / 10 * 10;
    return List.of(
        new Pageservers(some.root, some.home, base, FreePort.any(), "0-of-2-by-" + stripeBlocks),
        new Pageservers(
            some.root, some.home, base + 1, FreePort.any(), "1-of-2-by-" + stripeBlocks));
  }

  PageserverProcess start() throws IOException, InterruptedException {
    return PageserverProcess.start(
        root,
        "directory:" + home.resolve("objects"),
        local(),
        home.resolve("pageserver" + port + ".log"),
        new PageserverProcess.Place(port, httpPort, shard),
        Map.of());
  }

  /** Removes the local files of a pageserver that has ended. */
  void wipe() {
    PostgresServer.deleteTree(local());
  }

  private Path local() {
    return home.resolve("pageserver" + port);
  }

  /** Starts the agent on a mount at an LSN; the directory's name is new in {@code home}. */
  ComputeProcess compute(int major, long lsn, String directory) throws IOException {
    return ComputeProcess.start(
        root,
        Options.parse(new String[] {"--major", Integer.toString(major)}),
        "127.0.0.1:" + (shard.isEmpty() ? port : port / 10 + "{shard}"),
        lsn,
        home.resolve(directory),
        FreePort.any());
  }

  void delete() {
    PostgresServer.deleteTree(home);
  }
}
