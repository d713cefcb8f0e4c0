package dev.varve.operator.reconcile;

import io.fabric8.kubernetes.client.KubernetesClientException;

/** What the API server means by its refusals. */
final class Conflict {
  private static final int CONFLICT = 409;
  private static final int NOT_FOUND = 404;

  private Conflict() {}

  /** What was read is old, or is there already: look again. */
  static boolean isConflict(KubernetesClientException e) {
    return e.getCode() == CONFLICT;
  }

  /** It went away meanwhile. */
  static boolean isGone(KubernetesClientException e) {
    return e.getCode() == NOT_FOUND;
  }
}
