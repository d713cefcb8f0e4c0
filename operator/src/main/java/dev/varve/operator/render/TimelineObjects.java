package dev.varve.operator.render;

import dev.varve.crd.Timeline;
import dev.varve.operator.plan.PageserverPod;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The Service that computes of a timeline connect to, and the EndpointSlice that leads it to the
 * pod of shard 0. The Service has no selector: nobody else writes its endpoints.
 */
public final class TimelineObjects {
  public static final int PORT = 6400;
  public static final String MANAGER = "varve-operator";
  public static final Map<String, String> OWNED =
      Map.of("app.kubernetes.io/managed-by", MANAGER, "app.kubernetes.io/part-of", "varve");

  private static final String PORT_NAME = "grpc";

  private TimelineObjects() {}

  public static String name(Timeline timeline) {
    return "varve-" + timeline.getMetadata().getName();
  }

  public static Service service(Timeline timeline) {
    return new ServiceBuilder()
        .withMetadata(metadata(timeline, Map.of()))
        .withNewSpec()
        .addNewPort()
        .withName(PORT_NAME)
        .withPort(PORT)
        .withTargetPort(new IntOrString(PORT))
        .withProtocol("TCP")
        .withAppProtocol("kubernetes.io/h2c")
        .endPort()
        .endSpec()
        .build();
  }

  /**
   * @param pod null: nobody serves the timeline now
   */
  public static EndpointSlice endpoints(Timeline timeline, @Nullable PageserverPod pod) {
    EndpointSliceBuilder slice =
        new EndpointSliceBuilder()
            .withMetadata(
                metadata(
                    timeline,
                    Map.of(
                        "kubernetes.io/service-name",
                        name(timeline),
                        "endpointslice.kubernetes.io/managed-by",
                        MANAGER)))
            .withAddressType(pod != null && pod.address().indexOf(':') >= 0 ? "IPv6" : "IPv4")
            .addNewPort()
            .withName(PORT_NAME)
            .withPort(PORT)
            .withProtocol("TCP")
            .withAppProtocol("kubernetes.io/h2c")
            .endPort();
    if (pod != null) {
      slice
          .addNewEndpoint()
          .withAddresses(pod.address())
          .withNewConditions()
          .withReady(true)
          .endConditions()
          .withNodeName(pod.node())
          .endEndpoint();
    }
    return slice.build();
  }

  private static ObjectMeta metadata(Timeline timeline, Map<String, String> labels) {
    return new ObjectMetaBuilder()
        .withName(name(timeline))
        .withNamespace(timeline.getMetadata().getNamespace())
        .addToLabels(OWNED)
        .addToLabels("varve.dev/timeline", timeline.getMetadata().getName())
        .addToLabels("varve.dev/tenant", timeline.getSpec().tenant())
        .addToLabels(labels)
        .withOwnerReferences(owner(timeline))
        .build();
  }

  static OwnerReference owner(HasMetadata owner) {
    return new OwnerReferenceBuilder()
        .withApiVersion(owner.getApiVersion())
        .withKind(owner.getKind())
        .withName(owner.getMetadata().getName())
        .withUid(owner.getMetadata().getUid())
        .withController(true)
        .withBlockOwnerDeletion(true)
        .build();
  }

  /** Whether what is there says what is wanted; what others added does not count. */
  public static boolean isAsWanted(@Nullable Service actual, Service wanted) {
    return actual != null
        && hasMetadata(actual, wanted)
        && actual.getSpec().getSelector().isEmpty()
        && actual.getSpec().getPorts().size() == 1
        && Objects.equals(
            actual.getSpec().getPorts().getFirst().getPort(),
            wanted.getSpec().getPorts().getFirst().getPort())
        && PORT_NAME.equals(actual.getSpec().getPorts().getFirst().getName());
  }

  /** Likewise. */
  public static boolean isAsWanted(@Nullable EndpointSlice actual, EndpointSlice wanted) {
    return actual != null
        && hasMetadata(actual, wanted)
        && addresses(actual).equals(addresses(wanted))
        && actual.getPorts().size() == 1
        && Objects.equals(
            actual.getPorts().getFirst().getPort(), wanted.getPorts().getFirst().getPort());
  }

  private static boolean hasMetadata(HasMetadata actual, HasMetadata wanted) {
    return actual.getMetadata().getLabels() != null
        && actual
            .getMetadata()
            .getLabels()
            .entrySet()
            .containsAll(wanted.getMetadata().getLabels().entrySet())
        && actual
            .getMetadata()
            .getOwnerReferences()
            .equals(wanted.getMetadata().getOwnerReferences());
  }

  private static List<List<String>> addresses(EndpointSlice slice) {
    return slice.getEndpoints() == null
        ? List.of()
        : slice.getEndpoints().stream().map(e -> e.getAddresses()).toList();
  }
}
