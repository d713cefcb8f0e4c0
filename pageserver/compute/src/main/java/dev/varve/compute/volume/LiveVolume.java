package dev.varve.compute.volume;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.varve.compute.agent.FailureText;
import dev.varve.compute.agent.Volume;
import dev.varve.compute.agent.VolumeOptions;
import dev.varve.compute.fuse.FuseMountException;
import dev.varve.compute.fuse.FuseOptions;
import dev.varve.compute.image.ComputeDirectory;
import dev.varve.compute.image.GrpcImage;
import dev.varve.compute.page.GrpcPageSource;
import dev.varve.compute.page.PageserverChannel;
import dev.varve.compute.page.ReadToken;
import dev.varve.compute.page.ShardedPageSource;
import dev.varve.compute.settings.ServerOptions;
import dev.varve.compute.settings.ServerSettings;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A volume that this agent serves: laid out, mounted, its pages coming over a shared connection.
 */
final class LiveVolume {
  private static final Duration IMAGE_LIMIT = Duration.ofSeconds(60);
  private static final int PORT = 5432;

  /** Where the official image keeps its Unix socket. */
  private static final Path SOCKETS = Path.of("/var/run/postgresql");

  private static final Duration PROBE_LIMIT = Duration.ofSeconds(3);

  private final Path target;
  private final ReadToken token;
  private final AtomicBoolean probing = new AtomicBoolean();
  private final Volume volume;
  private final PageserverChannels.Leases leases;

  private LiveVolume(
      Path target, ReadToken token, Volume volume, PageserverChannels.Leases leases) {
    this.target = target;
    this.token = token;
    this.volume = volume;
    this.leases = leases;
  }

  /**
   * Lays out and mounts. Leaves files and mounts behind when it fails: the caller cleans up.
   *
   * @param local directory for everything that PostgreSQL does not see; absent
   * @param address the pageserver's, or a pattern of its shards'
   * @param timeline as the pageserver knows it, tenant included
   * @param readTimeout of one read, with all its retries
   */
  static LiveVolume open(
      VolumeRequest request,
      Path local,
      String timeline,
      PageserverChannels channels,
      String address,
      FuseOptions fuse,
      Duration readTimeout)
      throws IOException {
    PageserverChannels.Leases leases = channels.leases(address);
    ReadToken token = ReadToken.replaceable(request.token());
    try {
      VolumeOptions wanted =
          new VolumeOptions(
              new ComputeDirectory(local, request.target(), true),
              timeline,
              request.lsn(),
              false,
              request.owner(),
              request.group(),
              true,
              fuse,
              request.allowed());
      Volume volume =
          Volume.open(
              wanted,
              () ->
                  GrpcImage.request(
                      leases.to(0), request.token(), timeline, request.lsn(), true, IMAGE_LIMIT),
              header ->
                  ShardedPageSource.of(
                      header,
                      timeline,
                      (shard, name) ->
                          GrpcPageSource.withReplaceable(
                              token, leases.to(shard), name, header.getLsn(), readTimeout)));
      LiveVolume live = new LiveVolume(request.target(), token, volume, leases);
      try {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("listen_addresses", "*");
        settings.putAll(request.settings());
        ServerSettings.write(
            volume.layout(),
            request.target(),
            volume.header(),
            new ServerOptions(
                SOCKETS, PORT, settings, request.allowed(), request.hba(), false, Set.of()));
        return live;
      } catch (IOException e) {
        live.discard();
        throw e;
      }
    } catch (IOException | RuntimeException e) {
      leases.close();
      if (e instanceof IOException io) {
        throw explained(io, request, PageserverChannel.address(address, 0)); // the image's
      }
      throw e;
    }
  }

  /** The failure as the person who reads the pod's events needs it. */
  private static IOException explained(IOException failure, VolumeRequest request, String address) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof StatusRuntimeException refused) {
        return refused(refused.getStatus(), request, address, failure);
      }
    }
    if (failure instanceof FuseMountException) {
      return new VolumeException(
          Status.Code.INTERNAL, "the node cannot mount: " + failure.getMessage(), failure);
    }
    if (failure instanceof InvalidProtocolBufferException) {
      return new VolumeException(Status.Code.INTERNAL, "a damaged image came", failure);
    }
    return new IOException(FailureText.of(failure), failure);
  }

  private static VolumeException refused(
      Status status, VolumeRequest request, String address, IOException failure) {
    String timeline =
        "timeline '" + request.timeline() + "' in namespace '" + request.pod().namespace() + "'";
    String look =
        "; 'kubectl -n "
            + request.pod().namespace()
            + " describe timeline "
            + request.timeline()
            + "' tells its state";
    String said = " (the pageserver at " + address + " said: " + status.getDescription() + ")";
    return switch (status.getCode()) {
      case UNAUTHENTICATED, PERMISSION_DENIED ->
          new VolumeException(
              status.getCode(),
              (request.token() == null ? "no token was given for " : "the token is not one for ")
                  + timeline
                  + ": let nodePublishSecretRef of the volume name the token secret of its tenant"
                  + said,
              failure);
      case NOT_FOUND ->
          new VolumeException(
              Status.Code.NOT_FOUND,
              timeline + " is not served: create it, or correct its name or tenant" + look + said,
              failure);
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED ->
          new VolumeException(
              Status.Code.UNAVAILABLE,
              "no answer for " + timeline + ", it is tried again" + look + said,
              failure);
      default ->
          new VolumeException(
              status.getCode(), timeline + " cannot be started from" + look + said, failure);
    };
  }

  Path target() {
    return target;
  }

  /** What makes the volume unusable; null while all is well. */
  @Nullable String failure() {
    return volume.failure();
  }

  /** Reads show this token from now on. */
  void replaceToken(String fresh) {
    token.replace(fresh);
  }

  /** Why no page can be read now; null while all is well, or nothing was tried. */
  @Nullable String unreadable() {
    return volume.unreadable();
  }

  /** After a read that failed, tries in the background whether others succeed. */
  void probe() {
    if (token.isRefused()) {
      volume.setUnreadable(
          "its token is refused: let nodePublishSecretRef of the volume name the token secret of its"
              + " tenant; a token that changed there reaches the volume within two minutes");
    }
    if (volume.isFailing() && probing.compareAndSet(false, true)) {
      Thread.ofVirtual()
          .name("probe-" + target)
          .start(() -> {
            try {
              volume.probe(PROBE_LIMIT);
            } finally {
              probing.set(false);
            }
          });
    }
  }

  /** Takes the mounts away, ends its threads and streams; the files stay for the caller. */
  void discard() throws IOException {
    try {
      volume.discard();
    } finally {
      leases.close();
    }
  }
}
