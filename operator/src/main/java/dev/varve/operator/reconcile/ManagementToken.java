package dev.varve.operator.reconcile;

import dev.varve.operator.render.TokenSecret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/**
 * The Secret that pageservers wait for when they start: made once, by whichever operator is first.
 */
public final class ManagementToken {
  private ManagementToken() {}

  /**
   * @throws IllegalStateException when the Secret is there without the key
   */
  public static String getOrMake(
      KubernetesClient client, String namespace, String name, SecureRandom random) {
    String token = read(client, namespace, name);
    if (token != null) {
      return token;
    }
    try {
      client
          .resource(TokenSecret.ofManagement(namespace, name, TokenSecret.random(random)))
          .create();
    } catch (KubernetesClientException e) {
      if (!Conflict.isConflict(e)) {
        throw e;
      }
    }
    token = read(client, namespace, name);
    if (token == null) {
      throw new IllegalStateException(
          "Secret " + namespace + "/" + name + " has no key " + TokenSecret.KEY + ": delete it");
    }
    return token;
  }

  private static @Nullable String read(KubernetesClient client, String namespace, String name) {
    return TokenSecret.value(
        client.secrets().inNamespace(namespace).withName(name).get(), TokenSecret.KEY);
  }
}
