package dev.varve.testkit;

import dev.varve.api.csi.v1.NodeGrpc;
import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.api.csi.v1.NodeUnpublishVolumeRequest;
import dev.varve.api.csi.v1.VolumeCapability;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The kubelet's part in the life of inline volumes: its directory of pods, and the calls on the
 * socket of a CSI node plugin that runs. A pod's name is its uid, too, and has one volume.
 */
public final class Kubelet implements AutoCloseable {
  private static final long CALL_SECONDS = 110;
  private static final String CONTEXT = "csi.storage.k8s.io/";

  private final Path directory;
  private final SocketClient client;

  /**
   * @param directory stands for /var/lib/kubelet; short, since a socket's path must be
   * @param driver the plugin's name, which listens already
   */
  public Kubelet(Path directory, String driver) {
    this.directory = directory;
    this.client = new SocketClient(directory.resolve("plugins/" + driver + "/csi.sock"));
  }

  public NodeGrpc.NodeBlockingStub node() {
    return NodeGrpc.newBlockingStub(client.channel())
        .withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
  }

  /** Where a pod's volume is wanted; its parent exists then. */
  public Path target(String pod) throws IOException {
    Path parent = directory.resolve("pods/" + pod + "/volumes/kubernetes.io~csi/data");
    Files.createDirectories(parent);
    return parent.resolve("mount");
  }

  /**
   * The request for a pod's volume, which belongs to PostgreSQL's user here.
   *
   * @param attributes of the volume, as they stand in the pod
   */
  public NodePublishVolumeRequest.Builder request(
      String namespace, String pod, Map<String, String> attributes) throws IOException {
    Map<String, String> context = new LinkedHashMap<>();
    context.put(CONTEXT + "ephemeral", "true");
    context.put(CONTEXT + "pod.name", pod);
    context.put(CONTEXT + "pod.namespace", namespace);
    context.put(CONTEXT + "pod.uid", pod);
    context.put("owner", Integer.toString(PostgresServer.UID));
    context.putAll(attributes);
    return NodePublishVolumeRequest.newBuilder()
        .setVolumeId(volume(pod))
        .setTargetPath(target(pod).toString())
        .setVolumeCapability(
            VolumeCapability.newBuilder()
                .setMount(VolumeCapability.MountVolume.getDefaultInstance())
                .setAccessMode(
                    VolumeCapability.AccessMode.newBuilder()
                        .setMode(VolumeCapability.AccessMode.Mode.SINGLE_NODE_WRITER)))
        .putAllVolumeContext(context);
  }

  private static String volume(String pod) {
    return "csi-" + pod;
  }

  /** Has the volume taken away, and removes what the kubelet keeps of the pod. */
  public void unpublish(String pod) throws IOException {
    var _ =
        node()
            .nodeUnpublishVolume(
                NodeUnpublishVolumeRequest.newBuilder()
                    .setVolumeId(volume(pod))
                    .setTargetPath(target(pod).toString())
                    .build());
    PostgresServer.deleteTree(directory.resolve("pods/" + pod));
  }

  @Override
  public void close() {
    client.close();
  }
}
