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
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.ServicePortBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The Service that computes of a timeline connect to, with a port for each shard, and for each
 * shard an EndpointSlice that leads its port to the pod that serves it. The Service has no
 * selector: nobody else writes its endpoints. Port and slice find each other by the port's name.
 */
public final class TimelineObjects {
  public static final int PORT = 6400;
  public static final String MANAGER = "varve-operator";

  /** Labels of everything that is made, always in the same order. */
  public static final SortedMap<String, String> OWNED =
      Collections.unmodifiableSortedMap(
          new TreeMap<>(
              Map.of(
                  "app.kubernetes.io/managed-by", MANAGER, "app.kubernetes.io/part-of", "varve")));

  private TimelineObjects() {}

  public static String name(Timeline timeline) {
    return "varve-" + timeline.getMetadata().getName();
  }

  /** The name of a shard's EndpointSlice; a dot is in no timeline's name. */
  public static String sliceName(Timeline timeline, int shard) {
    return shard == 0 ? name(timeline) : name(timeline) + "." + shard;
  }

  /** The port of shard 0 is {@link #PORT}, and so on. */
  public static Service service(Timeline timeline, int shards) {
    List<ServicePort> ports = new ArrayList<>();
    for (int shard = 0; shard < shards; shard++) {
      ports.add(
          new ServicePortBuilder()
              .withName(portName(shard))
              .withPort(PORT + shard)
              .withTargetPort(new IntOrString(PORT))
              .withProtocol("TCP")
              .withAppProtocol("kubernetes.io/h2c")
              .build());
    }
    return new ServiceBuilder()
        .withMetadata(metadata(timeline, name(timeline), Map.of()))
        .withNewSpec()
        .withPorts(ports)
        .endSpec()
        .build();
  }

  private static String portName(int shard) {
    return "shard-" + shard;
  }

  /**
   * @param pod null: nobody serves the shard now
   */
  public static EndpointSlice endpoints(Timeline timeline, int shard, @Nullable PageserverPod pod) {
    EndpointSliceBuilder slice =
        new EndpointSliceBuilder()
            .withMetadata(
                metadata(
                    timeline,
                    sliceName(timeline, shard),
                    Map.of(
                        "kubernetes.io/service-name",
                        name(timeline),
                        "endpointslice.kubernetes.io/managed-by",
                        MANAGER)))
            .withAddressType(pod != null && pod.address().indexOf(':') >= 0 ? "IPv6" : "IPv4")
            .addNewPort()
            .withName(portName(shard))
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

  private static ObjectMeta metadata(Timeline timeline, String name, Map<String, String> labels) {
    return new ObjectMetaBuilder()
        .withName(name)
        .withNamespace(timeline.getMetadata().getNamespace())
        .addToLabels(OWNED)
        .addToLabels("varve.dev/timeline", timeline.getMetadata().getName())
        .addToLabels("varve.dev/tenant", timeline.getSpec().tenant())
        .addToLabels(new TreeMap<>(labels))
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

  /** Whether the operator made it, for whichever Timeline of this name. */
  public static boolean isOwned(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    return labels != null && labels.entrySet().containsAll(OWNED.entrySet());
  }

  /** Whether what is there says what is wanted; what others added does not count. */
  public static boolean isAsWanted(@Nullable Service actual, Service wanted) {
    return actual != null
        && hasMetadata(actual, wanted)
        && actual.getSpec().getSelector().isEmpty()
        && ports(actual).equals(ports(wanted));
  }

  private static List<String> ports(Service service) {
    return service.getSpec().getPorts().stream()
        .map(p -> p.getName() + " " + p.getPort() + " " + p.getTargetPort().getIntVal())
        .toList();
  }

  /** Likewise. */
  public static boolean isAsWanted(@Nullable EndpointSlice actual, EndpointSlice wanted) {
    return actual != null
        && hasMetadata(actual, wanted)
        && addresses(actual).equals(addresses(wanted))
        && ports(actual).equals(ports(wanted));
  }

  private static List<String> ports(EndpointSlice slice) {
    return slice.getPorts().stream().map(p -> p.getName() + " " + p.getPort()).toList();
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
