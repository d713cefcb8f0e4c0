package dev.varve.local;

import dev.varve.api.v1.TimelineState;
import dev.varve.api.v1.TimelineStatus;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;

/**
 * One pageserver after another on the same ports, with the same object store; at most one runs.
 *
 * @param home of the store, of the local files and of logs
 */
record Pageservers(Path root, Path home, int port, int httpPort) {
  static Pageservers create() throws IOException {
    Path root = Path.of("").toAbsolutePath().resolve("../..").normalize();
    return new Pageservers(
        root, PostgresServer.temporaryDirectory(), LocalRun.freePort(), LocalRun.freePort());
  }

  PageserverProcess start() throws IOException, InterruptedException {
    return PageserverProcess.start(
        root.resolve("pageserver/server/target/quarkus-app/quarkus-run.jar"),
        "directory:" + home.resolve("objects"),
        home.resolve("pageserver"),
        home.resolve("pageserver.log"),
        port,
        httpPort);
  }

  /** Removes the local files of a pageserver that has ended. */
  void wipe() {
    PostgresServer.deleteTree(home.resolve("pageserver"));
  }

  /** Starts the agent on a mount at an LSN; the directory's name is new in {@code home}. */
  ComputeProcess compute(int major, long lsn, String directory) throws IOException {
    return ComputeProcess.start(
        root,
        Options.parse(new String[] {"--major", Integer.toString(major)}),
        "127.0.0.1:" + port,
        lsn,
        home.resolve(directory),
        LocalRun.freePort());
  }

  void delete() {
    PostgresServer.deleteTree(home);
  }

  static boolean isActive(TimelineStatus status) {
    return status.getState() == TimelineState.TIMELINE_STATE_ACTIVE;
  }
}
