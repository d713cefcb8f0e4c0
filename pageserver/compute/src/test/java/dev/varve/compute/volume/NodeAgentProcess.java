package dev.varve.compute.volume;

import dev.varve.api.csi.v1.NodeGrpc;
import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.testkit.AgentJvm;
import dev.varve.testkit.Kubelet;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The node agent as a child process, and the kubelet's side of its sockets. */
final class NodeAgentProcess implements AutoCloseable {
  private final Process process;
  private final Path directory;
  private final Kubelet kubelet;
  private final CountDownLatch serving = new CountDownLatch(1);
  private final Queue<String> output = new ConcurrentLinkedQueue<>();

  /**
   * @param directory the kubelet's
   */
  NodeAgentProcess(Path directory, String pageserver, URI kubernetes) throws Exception {
    this.directory = directory;
    List<String> command = AgentJvm.command("-XX:TieredStopAtLevel=1");
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            NodeAgent.class.getName(),
            "--node",
            "node-1",
            "--kubelet-directory",
            directory.toString(),
            "--pageserver",
            pageserver,
            "--kubernetes",
            kubernetes.toString()));
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    Thread.ofVirtual().start(this::read);
    if (!serving.await(60, TimeUnit.SECONDS) || !process.isAlive()) {
      throw new IOException("the agent does not serve: " + output());
    }
    kubelet = new Kubelet(directory, IdentityService.DRIVER);
  }

  private void read() {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        output.add(line);
        if (line.contains("serving ")) {
          serving.countDown();
        }
      }
    } catch (IOException e) {
      output.add(e.toString());
    }
    serving.countDown();
  }

  String output() {
    return String.join("\n", output);
  }

  long pid() {
    return process.pid();
  }

  NodeGrpc.NodeBlockingStub node() {
    return kubelet.node();
  }

  Path target(String pod) throws IOException {
    return kubelet.target(pod);
  }

  /** The request of a pod whose uid and volume are called {@code pod}. */
  NodePublishVolumeRequest.Builder request(String pod) throws IOException {
    return kubelet.request("shop", pod, Map.of("timeline", "orders")).putSecrets("token", "secret");
  }

  void unpublish(String pod) throws IOException {
    kubelet.unpublish(pod);
  }

  /** Threads and descriptors that the agent has open now. */
  long[] resources() throws IOException {
    return new long[] {
      count(Path.of("/proc/" + pid() + "/task")), count(Path.of("/proc/" + pid() + "/fd"))
    };
  }

  private static long count(Path directory) throws IOException {
    try (var entries = Files.list(directory)) {
      return entries.count();
    }
  }

  /** What an agent leaves behind when nothing is published, and should be nothing. */
  List<Path> leftovers() throws IOException {
    try (var volumes = Files.list(directory.resolve("plugins/varve.dev/volumes"));
        var pods = Files.list(directory.resolve("pods"))) {
      List<Path> found = new java.util.ArrayList<>(volumes.toList());
      found.addAll(pods.toList());
      found.addAll(MountTable.below(directory));
      return found;
    }
  }

  /** Power off. */
  void kill() throws InterruptedException {
    kubelet.close();
    process.destroyForcibly().waitFor(20, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    kubelet.close();
    process.toHandle().destroy();
    try {
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        kill();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
