package dev.varve.operator.render;

import dev.varve.crd.Tenant;
import dev.varve.operator.plan.TokenRecord;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import java.time.DateTimeException;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The Secret, in the operator's namespace, that keeps which tokens of a Tenant read: the Tenant's
 * own Secret is its users' to delete and to replace, and says nothing of the token before.
 */
public final class TokenRecordSecret {
  /** Of the Tenant that it is kept for. */
  public static final String NAMESPACE = "varve.dev/namespace";

  /** Likewise. */
  public static final String TENANT = "varve.dev/tenant";

  private TokenRecordSecret() {}

  public static String name(Tenant tenant) {
    return "varve-token-" + tenant.getMetadata().getUid();
  }

  public static Secret of(Tenant tenant, String namespace, TokenRecord record) {
    return new SecretBuilder()
        .withNewMetadata()
        .withName(name(tenant))
        .withNamespace(namespace)
        .addToLabels(TimelineObjects.OWNED)
        .addToLabels("app.kubernetes.io/component", "token")
        .addToAnnotations(NAMESPACE, tenant.getMetadata().getNamespace())
        .addToAnnotations(TENANT, tenant.getMetadata().getName())
        .endMetadata()
        .withType("Opaque")
        .addToData("current-sha256", TokenSecret.encoded(record.current()))
        .addToData("previous-sha256", TokenSecret.encoded(record.previous()))
        .addToData("previous-until", TokenSecret.encoded(record.until().toString()))
        .build();
  }

  /** What it keeps; null when it is not there or not as it was written. */
  public static @Nullable TokenRecord record(@Nullable Secret secret) {
    String current = TokenSecret.text(secret, "current-sha256");
    String previous = TokenSecret.text(secret, "previous-sha256");
    String until = TokenSecret.text(secret, "previous-until");
    if (current == null || previous == null || until == null) {
      return null;
    }
    try {
      return new TokenRecord(current, previous, Instant.parse(until));
    } catch (DateTimeException e) {
      return null;
    }
  }
}
