package dev.varve.operator.reconcile;

import io.fabric8.kubernetes.client.KubernetesClientException;

/** What the API server means by its refusals. */
final class Conflict {
  private static final int CONFLICT = 409;
  private static final int NOT_FOUND = 404;
  private static final int FORBIDDEN = 403;

  private Conflict() {}

  /** What was read is old, or is there already: look again. */
  static boolean isConflict(KubernetesClientException e) {
    return e.getCode() == CONFLICT;
  }

  /** Nothing can be made where everything is being deleted: there is nothing to mend. */
  static boolean isNamespaceGoing(KubernetesClientException e) {
    return e.getCode() == FORBIDDEN
        && e.getStatus() != null
        && e.getStatus().getDetails() != null
        && e.getStatus().getDetails().getCauses() != null
        && e.getStatus().getDetails().getCauses().stream()
            .anyMatch(cause -> "NamespaceTerminating".equals(cause.getReason()));
  }

  /** The operator has no right to it. */
  static boolean isForbidden(KubernetesClientException e) {
    return e.getCode() == FORBIDDEN;
  }

  /** It went away meanwhile. */
  static boolean isGone(KubernetesClientException e) {
    return e.getCode() == NOT_FOUND;
  }
}
