package dev.varve.operator.render;

import dev.varve.crd.Tenant;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/** Secrets with one random token under the key {@code token}. */
public final class TokenSecret {
  public static final String KEY = "token";

  private static final int TOKEN_BYTES = 32;

  private TokenSecret() {}

  public static String name(String tenant) {
    return "varve-" + tenant + "-token";
  }

  /** The Secret that clients of a tenant are given. */
  public static Secret of(Tenant tenant, String token) {
    return new SecretBuilder()
        .withNewMetadata()
        .withName(name(tenant.getMetadata().getName()))
        .withNamespace(tenant.getMetadata().getNamespace())
        .addToLabels(TimelineObjects.OWNED)
        .addToLabels("varve.dev/tenant", tenant.getMetadata().getName())
        .withOwnerReferences(TimelineObjects.owner(tenant))
        .endMetadata()
        .withType("Opaque")
        .addToData(KEY, encoded(token))
        .build();
  }

  /** The Secret that the operator and the pageservers share. */
  public static Secret ofManagement(String namespace, String name, String token) {
    return new SecretBuilder()
        .withNewMetadata()
        .withName(name)
        .withNamespace(namespace)
        .addToLabels(TimelineObjects.OWNED)
        .endMetadata()
        .withType("Opaque")
        .addToData(KEY, encoded(token))
        .build();
  }

  static String encoded(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  /** 256 bits, in characters that need no quoting anywhere. */
  public static String random(SecureRandom random) {
    byte[] bytes = new byte[TOKEN_BYTES];
    random.nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  /** What a Secret holds under a key, without the newline that an editor puts there. */
  public static @Nullable String value(@Nullable Secret secret, String key) {
    String text = text(secret, key);
    return text != null && text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }

  /** What a Secret holds under a key. */
  static @Nullable String text(@Nullable Secret secret, String key) {
    String data = secret == null || secret.getData() == null ? null : secret.getData().get(key);
    return data == null
        ? null
        : new String(Base64.getDecoder().decode(data), StandardCharsets.UTF_8);
  }
}
