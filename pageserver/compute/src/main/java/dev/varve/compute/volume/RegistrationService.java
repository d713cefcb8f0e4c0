package dev.varve.compute.volume;

import dev.varve.api.kubelet.v1.InfoRequest;
import dev.varve.api.kubelet.v1.PluginInfo;
import dev.varve.api.kubelet.v1.RegistrationGrpc;
import dev.varve.api.kubelet.v1.RegistrationStatus;
import dev.varve.api.kubelet.v1.RegistrationStatusResponse;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.logging.Logger;

/** Tells the kubelet, which watches for the socket, of the driver and where it answers. */
final class RegistrationService extends RegistrationGrpc.RegistrationImplBase {
  private static final Logger LOG = Logger.getLogger(RegistrationService.class.getName());

  private final Path endpoint;

  /**
   * @param endpoint the driver's socket as the kubelet sees it
   */
  RegistrationService(Path endpoint) {
    this.endpoint = endpoint;
  }

  @Override
  public void getInfo(InfoRequest request, StreamObserver<PluginInfo> answer) {
    answer.onNext(
        PluginInfo.newBuilder()
            .setType("CSIPlugin")
            .setName(IdentityService.DRIVER)
            .setEndpoint(endpoint.toString())
            .addSupportedVersions("1.0.0")
            .build());
    answer.onCompleted();
  }

  @Override
  public void notifyRegistrationStatus(
      RegistrationStatus request, StreamObserver<RegistrationStatusResponse> answer) {
    if (request.getPluginRegistered()) {
      LOG.info("the kubelet knows the driver " + IdentityService.DRIVER);
    } else {
      LOG.severe("the kubelet refused the driver: " + request.getError());
    }
    answer.onNext(RegistrationStatusResponse.getDefaultInstance());
    answer.onCompleted();
  }
}
