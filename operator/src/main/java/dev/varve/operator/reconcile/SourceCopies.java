package dev.varve.operator.reconcile;

import dev.varve.crd.Timeline;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Reason;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.render.SourceSecret;
import dev.varve.operator.render.TimelineObjects;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps, for each Timeline with a source, what its deletion needs to drop the slot: in the
 * operator's namespace, as the Timeline's own loses Secrets and RoleBindings in any order when it
 * is deleted. Written before a pageserver is told the same. Any thread.
 */
final class SourceCopies {
  private static final Logger LOG = LoggerFactory.getLogger(SourceCopies.class);

  private final KubernetesClient client;
  private final String namespace;

  /** What is known to be kept, by uid of the Timeline. */
  private final Map<String, SourceAccess> kept = new ConcurrentHashMap<>();

  SourceCopies(KubernetesClient client, String namespace) {
    this.client = client;
    this.namespace = namespace;
  }

  /** Keeps it, unless that is what is kept; null, or what hinders. */
  @Nullable Failure keep(Timeline timeline, SourceAccess access) {
    String uid = timeline.getMetadata().getUid();
    if (access.equals(kept.get(uid))) {
      return null;
    }
    try {
      client
          .resource(SourceSecret.of(timeline, namespace, access))
          .fieldManager(TimelineObjects.MANAGER)
          .forceConflicts()
          .serverSideApply();
      kept.put(uid, access);
      return null;
    } catch (KubernetesClientException e) {
      return new Failure(
          Reason.SecretUnreadable,
          "the operator cannot keep how the source is reached, which the deletion needs, in its"
              + " namespace "
              + namespace
              + (Conflict.isForbidden(e)
                  ? ": apply its Role, deploy/base/operator/rbac.yaml"
                  : " now; it is tried again"));
    }
  }

  /** The Secret of a Timeline; null: there is none, or it cannot be read. */
  @Nullable Secret secret(Timeline timeline) {
    return Credentials.secret(client, namespace, SourceSecret.name(timeline)).value();
  }

  /** Forgets it: its Timeline is about to be gone. */
  void remove(Timeline timeline) {
    kept.remove(timeline.getMetadata().getUid());
    try {
      client.secrets().inNamespace(namespace).withName(SourceSecret.name(timeline)).delete();
    } catch (KubernetesClientException e) {
      LOG.info("{} is left for the next start: {}", SourceSecret.name(timeline), e.getMessage());
    }
  }

  /** Removes what is kept for Timelines that went without their deletion: not any more, that is. */
  void sweep() {
    try {
      for (Secret secret :
          client
              .secrets()
              .inNamespace(namespace)
              .withLabels(TimelineObjects.OWNED)
              .withLabel("app.kubernetes.io/component", "source")
              .list()
              .getItems()) {
        if (isOrphan(secret)) {
          client.resource(secret).delete();
          LOG.info("removed {}, whose Timeline is gone", secret.getMetadata().getName());
        }
      }
    } catch (KubernetesClientException e) {
      LOG.info("the Secrets of Timelines that are gone are not removed yet: {}", e.getMessage());
    }
  }

  private boolean isOrphan(Secret secret) {
    ObjectMeta metadata = secret.getMetadata();
    Map<String, String> annotations = metadata.getAnnotations();
    String in = annotations == null ? null : annotations.get(SourceSecret.NAMESPACE);
    String name = annotations == null ? null : annotations.get(SourceSecret.TIMELINE);
    if (in == null || name == null) {
      return false;
    }
    Timeline timeline = client.resources(Timeline.class).inNamespace(in).withName(name).get();
    return timeline == null || !SourceSecret.name(timeline).equals(metadata.getName());
  }
}
