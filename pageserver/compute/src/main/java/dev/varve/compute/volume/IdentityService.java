package dev.varve.compute.volume;

import com.google.protobuf.BoolValue;
import dev.varve.api.csi.v1.GetPluginCapabilitiesRequest;
import dev.varve.api.csi.v1.GetPluginCapabilitiesResponse;
import dev.varve.api.csi.v1.GetPluginInfoRequest;
import dev.varve.api.csi.v1.GetPluginInfoResponse;
import dev.varve.api.csi.v1.IdentityGrpc;
import dev.varve.api.csi.v1.ProbeRequest;
import dev.varve.api.csi.v1.ProbeResponse;
import io.grpc.stub.StreamObserver;
import java.util.function.BooleanSupplier;

/** Who the driver is, and whether it is ready. */
final class IdentityService extends IdentityGrpc.IdentityImplBase {
  /** The driver's name in pods and in the CSIDriver object. */
  static final String DRIVER = "varve.dev";

  private final BooleanSupplier ready;

  IdentityService(BooleanSupplier ready) {
    this.ready = ready;
  }

  @Override
  public void getPluginInfo(
      GetPluginInfoRequest request, StreamObserver<GetPluginInfoResponse> answer) {
    String version = IdentityService.class.getPackage().getImplementationVersion();
    answer.onNext(
        GetPluginInfoResponse.newBuilder()
            .setName(DRIVER)
            .setVendorVersion(version == null ? "development" : version)
            .build());
    answer.onCompleted();
  }

  @Override
  public void getPluginCapabilities(
      GetPluginCapabilitiesRequest request, StreamObserver<GetPluginCapabilitiesResponse> answer) {
    answer.onNext(GetPluginCapabilitiesResponse.getDefaultInstance());
    answer.onCompleted();
  }

  @Override
  public void probe(ProbeRequest request, StreamObserver<ProbeResponse> answer) {
    answer.onNext(ProbeResponse.newBuilder().setReady(BoolValue.of(ready.getAsBoolean())).build());
    answer.onCompleted();
  }
}
