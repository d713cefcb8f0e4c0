package dev.varve.local;

import dev.varve.testkit.AgentJvm;
import dev.varve.testkit.ChildProcess;
import dev.varve.testkit.Kubelet;
import dev.varve.testkit.PageserverProcess;
import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The resident agent of a Kubernetes node as a program of its own, and the kubelet's calls. */
final class NodeAgentProcess {
  private static final String DRIVER = "varve.dev";
  private static final long START_SECONDS = 60;

  private final ChildProcess process;
  private final Path directory;
  private final Kubelet kubelet;
  private final List<String> pods = new ArrayList<>();

  private NodeAgentProcess(ChildProcess process, Path directory) {
    this.process = process;
    this.directory = directory;
    this.kubelet = new Kubelet(directory, DRIVER);
  }

  /** Starts it, as its DaemonSet does, and waits until it listens. */
  static NodeAgentProcess start(Path root, Path log, String pageserver)
      throws IOException, InterruptedException {
    Path directory = PostgresServer.temporaryDirectory();
    List<String> command = AgentJvm.command();
    command.addAll(
        List.of(
            "-cp",
            ComputeProcess.jar(root).toString(),
            "dev.varve.compute.volume.NodeAgent",
            "--node",
            "local",
            "--kubelet-directory",
            directory.toString(),
            "--pageserver",
            pageserver,
            // Nobody listens there: requests name their tenant, and no volume is lost.
            "--kubernetes",
            "http://127.0.0.1:9"));
    ChildProcess process = ChildProcess.start("the node agent", log, command);
    Path registration = directory.resolve("plugins_registry/" + DRIVER + "-reg.sock");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    while (!Files.exists(registration)) {
      process.requireRunning();
      if (System.nanoTime() > deadline) {
        process.kill();
        throw new IllegalStateException("the node agent does not listen:\n" + process.log());
      }
      Thread.sleep(10);
    }
    return new NodeAgentProcess(process, directory);
  }

  /** A pod's data directory, laid out and mounted until {@link #stop}. */
  Path publish(String pod, long lsn) throws IOException {
    pods.add(pod);
    var _ =
        kubelet
            .node()
            .nodePublishVolume(
                kubelet
                    .request(
                        PageserverProcess.NAMESPACE,
                        pod,
                        Map.of(
                            "tenant",
                            PageserverProcess.TENANT_NAME,
                            "timeline",
                            PageserverProcess.TIMELINE,
                            "lsn",
                            String.format(Locale.ROOT, "%X/%X", lsn >>> 32, lsn & 0xFFFF_FFFFL)))
                    .build());
    return kubelet.target(pod);
  }

  long residentBytes() {
    return process.residentBytes();
  }

  /** Has all volumes taken away, and ends it. */
  void stop() throws IOException, InterruptedException {
    for (String pod : pods) {
      kubelet.unpublish(pod);
    }
    kubelet.close();
    process.stop();
    PostgresServer.deleteTree(directory);
  }
}
