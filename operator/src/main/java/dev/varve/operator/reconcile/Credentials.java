package dev.varve.operator.reconcile;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.Source;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.Failure;
import dev.varve.operator.plan.Reason;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.plan.SpecRules;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import org.jspecify.annotations.Nullable;

/**
 * What the Secrets of a timeline say, read when it is wanted: the operator may get Secrets where it
 * was let, not list or watch them. What cannot be read is a {@link Failure}, never an exception.
 *
 * @param token the tenant's; null: there is none yet, or {@code tokenFailure} says why
 * @param access null: no source, or {@code accessFailure} says why
 */
record Credentials(
    @Nullable String token,
    @Nullable SourceAccess access,
    @Nullable Failure tokenFailure,
    @Nullable Failure accessFailure) {
  /**
   * A Secret.
   *
   * @param value null: there is none, or {@code failure} says why it cannot be read
   */
  record Found(@Nullable Secret value, @Nullable Failure failure) {}

  /** Of a timeline whose names are valid. */
  static Credentials read(KubernetesClient client, Timeline timeline) {
    String namespace = timeline.getMetadata().getNamespace();
    Found token = secret(client, namespace, TokenSecret.name(timeline.getSpec().tenant()));
    Credentials without =
        new Credentials(
            TokenSecret.value(token.value(), TokenSecret.KEY), null, token.failure(), null);
    Source source = timeline.getSpec().source();
    return source == null ? without : without.withAccess(client, timeline, source);
  }

  private Credentials withAccess(KubernetesClient client, Timeline timeline, Source source) {
    String invalid = SpecRules.source(source);
    if (!invalid.isEmpty()) {
      return without(new Failure(Reason.InvalidSpec, invalid));
    }
    PrimarySource primary = source.primary();
    SecretKey named = primary.passwordSecret();
    if (named == null) {
      return new Credentials(token, SourceAccess.of(timeline, ""), tokenFailure, null);
    }
    Found found = secret(client, timeline.getMetadata().getNamespace(), named.name());
    if (found.failure() != null) {
      return without(found.failure());
    }
    String key = named.key() == null ? "password" : named.key();
    String password = TokenSecret.value(found.value(), key);
    if (password != null) {
      return new Credentials(token, SourceAccess.of(timeline, password), tokenFailure, null);
    }
    return without(
        new Failure(
            Reason.SecretMissing,
            found.value() == null
                ? "there is no Secret " + named.name() + ": create it with the key " + key
                : "the Secret "
                    + named.name()
                    + " has no key "
                    + key
                    + ": add it, or name another one in spec.source.primary.passwordSecret.key"));
  }

  /** The same, but that the source must not be used. */
  Credentials without(Failure failure) {
    return new Credentials(token, null, tokenFailure, failure);
  }

  /** Of a name that is valid. */
  static Found secret(KubernetesClient client, String namespace, String name) {
    try {
      return new Found(client.secrets().inNamespace(namespace).withName(name).get(), null);
    } catch (KubernetesClientException e) {
      return new Found(null, new Failure(Reason.SecretUnreadable, why(namespace, name, e)));
    }
  }

  private static String why(String namespace, String name, KubernetesClientException e) {
    return Conflict.isForbidden(e)
        ? "the operator may not read the Secret "
            + name
            + ": bind the ClusterRole varve-operator-secrets in the namespace "
            + namespace
            + " to its ServiceAccount, as deploy/examples/access.yaml does"
        : "the Secret "
            + name
            + " cannot be read now: "
            + (e.getCode() == 0
                ? "the API server does not answer"
                : "the API server answers with status " + e.getCode())
            + "; it is tried again";
  }
}
