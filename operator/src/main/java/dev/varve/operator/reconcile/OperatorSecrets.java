package dev.varve.operator.reconcile;

import dev.varve.operator.render.OperatorSecret;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The {@link OperatorSecret}s of one component, which the operator keeps for resources of type
 * {@code R} until they are gone. Any thread.
 */
final class OperatorSecrets<R extends HasMetadata> {
  private static final Logger LOG = LoggerFactory.getLogger(OperatorSecrets.class);

  private final KubernetesClient client;
  private final String namespace;
  private final Class<R> type;
  private final String component;

  /**
   * @param namespace the operator's
   */
  OperatorSecrets(KubernetesClient client, String namespace, Class<R> type, String component) {
    this.client = client;
    this.namespace = namespace;
    this.type = type;
    this.component = component;
  }

  void apply(Secret secret) {
    client
        .resource(secret)
        .fieldManager(TimelineObjects.MANAGER)
        .forceConflicts()
        .serverSideApply();
  }

  /** Null: there is none. */
  @Nullable Secret get(R resource) {
    return client.secrets().inNamespace(namespace).withName(name(resource)).get();
  }

  /** Removes that of a resource that is about to be gone. */
  void remove(R resource) {
    try {
      client.secrets().inNamespace(namespace).withName(name(resource)).delete();
    } catch (KubernetesClientException e) {
      LOG.info("{} is left for the next start: {}", name(resource), e.getMessage());
    }
  }

  /** Removes those of resources that went without their deletion by the operator. */
  void sweep() {
    String kind = HasMetadata.getKind(type);
    try {
      for (Secret secret :
          client
              .secrets()
              .inNamespace(namespace)
              .withLabels(TimelineObjects.OWNED)
              .withLabel(OperatorSecret.COMPONENT, component)
              .list()
              .getItems()) {
        if (isOrphan(secret, kind)) {
          client.resource(secret).delete();
          LOG.info("removed {}, whose {} is gone", secret.getMetadata().getName(), kind);
        }
      }
    } catch (KubernetesClientException e) {
      LOG.info("the Secrets of {}s that are gone are not removed yet: {}", kind, e.getMessage());
    }
  }

  private boolean isOrphan(Secret secret, String kind) {
    String in = OperatorSecret.resourceNamespace(secret);
    String name = OperatorSecret.resourceName(secret, kind);
    if (in == null || name == null) {
      return false;
    }
    R resource = client.resources(type).inNamespace(in).withName(name).get();
    return resource == null || !name(resource).equals(secret.getMetadata().getName());
  }

  private String name(R resource) {
    return OperatorSecret.name(component, resource);
  }
}
