package dev.varve.operator.reconcile;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.SecretKey;
import dev.varve.crd.Source;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.SourceAccess;
import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import org.jspecify.annotations.Nullable;

/**
 * What the Secrets of a timeline say, read when it is wanted: the operator may get Secrets, not
 * list or watch them.
 *
 * @param token the tenant's; null: there is none yet
 * @param access null: no source, or {@code trouble} says why
 * @param trouble empty for none
 */
record Credentials(@Nullable String token, @Nullable SourceAccess access, String trouble) {
  static Credentials read(KubernetesClient client, Timeline timeline) {
    String namespace = timeline.getMetadata().getNamespace();
    String token =
        TokenSecret.value(
            secret(client, namespace, TokenSecret.name(timeline.getSpec().tenant())),
            TokenSecret.KEY);
    Source source = timeline.getSpec().source();
    if (source == null) {
      return new Credentials(token, null, "");
    }
    PrimarySource primary = source.primary();
    SecretKey key = primary.passwordSecret();
    String password = "";
    if (key != null) {
      Secret secret = secret(client, namespace, key.name());
      String value = TokenSecret.value(secret, key.key());
      if (value == null) {
        String trouble =
            secret == null
                ? "there is no Secret " + key.name() + ": create it with the key " + key.key()
                : "the Secret "
                    + key.name()
                    + " has no key "
                    + key.key()
                    + ": add it, or name another one in spec.source.primary.passwordSecret.key";
        return new Credentials(token, null, trouble);
      }
      password = value;
    }
    return new Credentials(
        token, SourceAccess.of(namespace, timeline.getMetadata().getName(), primary, password), "");
  }

  private static @Nullable Secret secret(KubernetesClient client, String namespace, String name) {
    return client.secrets().inNamespace(namespace).withName(name).get();
  }
}
