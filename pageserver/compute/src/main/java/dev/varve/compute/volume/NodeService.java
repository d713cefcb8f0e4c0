package dev.varve.compute.volume;

import dev.varve.api.csi.v1.NodeGetCapabilitiesRequest;
import dev.varve.api.csi.v1.NodeGetCapabilitiesResponse;
import dev.varve.api.csi.v1.NodeGetInfoRequest;
import dev.varve.api.csi.v1.NodeGetInfoResponse;
import dev.varve.api.csi.v1.NodeGetVolumeStatsRequest;
import dev.varve.api.csi.v1.NodeGetVolumeStatsResponse;
import dev.varve.api.csi.v1.NodeGrpc;
import dev.varve.api.csi.v1.NodePublishVolumeRequest;
import dev.varve.api.csi.v1.NodePublishVolumeResponse;
import dev.varve.api.csi.v1.NodeServiceCapability;
import dev.varve.api.csi.v1.NodeUnpublishVolumeRequest;
import dev.varve.api.csi.v1.NodeUnpublishVolumeResponse;
import dev.varve.api.csi.v1.VolumeCondition;
import dev.varve.api.csi.v1.VolumeUsage;
import dev.varve.compute.agent.FailureText;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;

/** What the kubelet asks of a node plugin, checked and handed on to {@link Volumes}. */
final class NodeService extends NodeGrpc.NodeImplBase {
  private static final Logger LOG = Logger.getLogger(NodeService.class.getName());

  private final Volumes volumes;
  private final String node;

  NodeService(Volumes volumes, String node) {
    this.volumes = volumes;
    this.node = node;
  }

  private interface Call<T> {
    T run() throws IOException;
  }

  /** The one place where failures become statuses. */
  private static <T> void answer(StreamObserver<T> observer, String what, Call<T> call) {
    try {
      T result = call.run();
      observer.onNext(result);
      observer.onCompleted();
    } catch (VolumeException e) {
      LOG.info(what + " refused: " + e.getMessage());
      observer.onError(e.status().asRuntimeException());
    } catch (IOException e) {
      LOG.warning(what + " failed: " + FailureText.of(e));
      observer.onError(
          Status.INTERNAL
              .withDescription(what + " failed on the node: " + FailureText.of(e))
              .asRuntimeException());
    } catch (RuntimeException | Error e) {
      LOG.log(Level.SEVERE, what + " failed", e);
      observer.onError(
          Status.INTERNAL
              .withDescription(
                  what + " failed: " + FailureText.of(e) + "; the agent's log has more")
              .asRuntimeException());
      if (e instanceof Error error) {
        throw error;
      }
    }
  }

  @Override
  public void nodePublishVolume(
      NodePublishVolumeRequest request, StreamObserver<NodePublishVolumeResponse> observer) {
    answer(
        observer,
        "publishing volume " + request.getVolumeId(),
        () -> {
          volumes.publish(VolumeRequest.of(request, volumes.pods()));
          return NodePublishVolumeResponse.getDefaultInstance();
        });
  }

  @Override
  public void nodeUnpublishVolume(
      NodeUnpublishVolumeRequest request, StreamObserver<NodeUnpublishVolumeResponse> observer) {
    answer(
        observer,
        "unpublishing volume " + request.getVolumeId(),
        () -> {
          volumes.unpublish(
              VolumeRequest.id(request.getVolumeId()),
              VolumeRequest.target(request.getTargetPath(), volumes.pods()));
          return NodeUnpublishVolumeResponse.getDefaultInstance();
        });
  }

  @Override
  public void nodeGetVolumeStats(
      NodeGetVolumeStatsRequest request, StreamObserver<NodeGetVolumeStatsResponse> observer) {
    answer(
        observer,
        "statistics of volume " + request.getVolumeId(),
        () -> {
          String failure = volumes.failure(VolumeRequest.id(request.getVolumeId()));
          Path path = VolumeRequest.target(request.getVolumePath(), volumes.pods());
          if (!Files.isDirectory(path)) {
            throw new VolumeException(Status.Code.NOT_FOUND, "there is no " + path);
          }
          FileStore disk = Files.getFileStore(path);
          return NodeGetVolumeStatsResponse.newBuilder()
              .addUsage(
                  VolumeUsage.newBuilder()
                      .setUnit(VolumeUsage.Unit.BYTES)
                      .setTotal(disk.getTotalSpace())
                      .setAvailable(disk.getUsableSpace())
                      .setUsed(disk.getTotalSpace() - disk.getUnallocatedSpace()))
              .setVolumeCondition(
                  VolumeCondition.newBuilder()
                      .setAbnormal(failure != null)
                      .setMessage(failure == null ? "mounted" : failure))
              .build();
        });
  }

  @Override
  public void nodeGetCapabilities(
      NodeGetCapabilitiesRequest request, StreamObserver<NodeGetCapabilitiesResponse> observer) {
    answer(
        observer,
        "capabilities",
        () ->
            NodeGetCapabilitiesResponse.newBuilder()
                .addCapabilities(capability(NodeServiceCapability.RPC.Type.GET_VOLUME_STATS))
                .addCapabilities(capability(NodeServiceCapability.RPC.Type.VOLUME_CONDITION))
                .build());
  }

  private static NodeServiceCapability capability(NodeServiceCapability.RPC.Type type) {
    return NodeServiceCapability.newBuilder()
        .setRpc(NodeServiceCapability.RPC.newBuilder().setType(type))
        .build();
  }

  @Override
  public void nodeGetInfo(
      NodeGetInfoRequest request, StreamObserver<NodeGetInfoResponse> observer) {
    answer(observer, "node info", () -> NodeGetInfoResponse.newBuilder().setNodeId(node).build());
  }
}
