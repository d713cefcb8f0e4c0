package dev.varve.operator.reconcile;

import dev.varve.crd.Timeline;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Reason;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.render.SourceSecret;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Keeps, for each Timeline with a source, what its deletion needs to drop the slot: in the
 * operator's namespace, as the Timeline's own loses Secrets and RoleBindings in any order when it
 * is deleted. Written before a pageserver is told the same. Any thread.
 */
final class SourceCopies {
  private final OperatorSecrets<Timeline> secrets;
  private final String namespace;

  /** What is known to be kept, by uid of the Timeline. */
  private final Map<String, SourceAccess> kept = new ConcurrentHashMap<>();

  SourceCopies(KubernetesClient client, String namespace) {
    this.secrets = new OperatorSecrets<>(client, namespace, Timeline.class, SourceSecret.COMPONENT);
    this.namespace = namespace;
  }

  /** Keeps it, unless that is what is kept; null, or what hinders. */
  @Nullable Failure keep(Timeline timeline, SourceAccess access) {
    String uid = timeline.getMetadata().getUid();
    if (access.equals(kept.get(uid))) {
      return null;
    }
    try {
      secrets.apply(SourceSecret.of(timeline, namespace, access));
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
    try {
      return secrets.get(timeline);
    } catch (KubernetesClientException e) {
      return null;
    }
  }

  /** Forgets it: its Timeline is about to be gone. */
  void remove(Timeline timeline) {
    kept.remove(timeline.getMetadata().getUid());
    secrets.remove(timeline);
  }

  /** Removes what is kept for Timelines that went without their deletion. */
  void sweep() {
    secrets.sweep();
  }
}
