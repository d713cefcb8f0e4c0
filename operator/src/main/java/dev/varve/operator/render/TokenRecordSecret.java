package dev.varve.operator.render;

import dev.varve.crd.Tenant;
import dev.varve.operator.plan.TokenRecord;
import io.fabric8.kubernetes.api.model.Secret;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The Secret, in the operator's namespace, that keeps which tokens of a Tenant read: the Tenant's
 * own Secret is its users' to delete and to replace, and says nothing of the token before.
 */
public final class TokenRecordSecret {
  public static final String COMPONENT = "token";

  private TokenRecordSecret() {}

  public static String name(Tenant tenant) {
    return OperatorSecret.name(COMPONENT, tenant);
  }

  public static Secret of(Tenant tenant, String namespace, TokenRecord record) {
    return OperatorSecret.of(
        COMPONENT,
        tenant,
        namespace,
        Map.of(
            "current-sha256", record.current(),
            "previous-sha256", record.previous(),
            "previous-until", record.until().toString()));
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
