package dev.varve.operator.render;

import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.SourceAccess;
import io.fabric8.kubernetes.api.model.Secret;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The Secret, in the operator's namespace, that keeps how a Timeline's primary is reached: a
 * namespace that is deleted loses its Secrets first, but the slot is to be dropped still.
 */
public final class SourceSecret {
  public static final String COMPONENT = "source";

  private SourceSecret() {}

  public static String name(Timeline timeline) {
    return OperatorSecret.name(COMPONENT, timeline);
  }

  public static Secret of(Timeline timeline, String namespace, SourceAccess access) {
    return OperatorSecret.of(
        COMPONENT,
        timeline,
        namespace,
        Map.of(
            "host", access.host(),
            "port", "" + access.port(),
            "user", access.user(),
            "password", access.password(),
            "database", access.database(),
            "sslMode", access.sslMode().text(),
            "slot", access.slot()));
  }

  /**
   * What it keeps; null when it is not there or not as it was written. What the source may cost is
   * not kept: a slot that is dropped costs nothing.
   */
  public static @Nullable SourceAccess access(@Nullable Secret secret) {
    String host = TokenSecret.text(secret, "host");
    String port = TokenSecret.text(secret, "port");
    String user = TokenSecret.text(secret, "user");
    String password = TokenSecret.text(secret, "password");
    String database = TokenSecret.text(secret, "database");
    String slot = TokenSecret.text(secret, "slot");
    SslMode sslMode = sslMode(TokenSecret.text(secret, "sslMode"));
    return host == null
            || port == null
            || !port.matches("[0-9]{1,5}")
            || user == null
            || password == null
            || database == null
            || sslMode == null
            || slot == null
        ? null
        : new SourceAccess(
            host, Integer.parseInt(port), user, password, database, sslMode, slot, false, 0, false);
  }

  private static @Nullable SslMode sslMode(@Nullable String text) {
    return Arrays.stream(SslMode.values())
        .filter(mode -> mode.text().equals(text))
        .findFirst()
        .orElse(null);
  }
}
