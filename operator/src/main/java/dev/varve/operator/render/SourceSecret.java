package dev.varve.operator.render;

import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import dev.varve.operator.plan.SourceAccess;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The Secret, in the operator's namespace, that keeps how a Timeline's primary is reached: a
 * namespace that is deleted loses its Secrets first, but the slot is to be dropped still.
 */
public final class SourceSecret {
  /** Of the Timeline that it is kept for. */
  public static final String NAMESPACE = "varve.dev/namespace";

  /** Likewise. */
  public static final String TIMELINE = "varve.dev/timeline";

  private SourceSecret() {}

  public static String name(Timeline timeline) {
    return "varve-source-" + timeline.getMetadata().getUid();
  }

  public static Secret of(Timeline timeline, String namespace, SourceAccess access) {
    return new SecretBuilder()
        .withNewMetadata()
        .withName(name(timeline))
        .withNamespace(namespace)
        .addToLabels(TimelineObjects.OWNED)
        .addToLabels("app.kubernetes.io/component", "source")
        .addToAnnotations(NAMESPACE, timeline.getMetadata().getNamespace())
        .addToAnnotations(TIMELINE, timeline.getMetadata().getName())
        .endMetadata()
        .withType("Opaque")
        .addToData("host", TokenSecret.encoded(access.host()))
        .addToData("port", TokenSecret.encoded("" + access.port()))
        .addToData("user", TokenSecret.encoded(access.user()))
        .addToData("password", TokenSecret.encoded(access.password()))
        .addToData("database", TokenSecret.encoded(access.database()))
        .addToData("sslMode", TokenSecret.encoded(access.sslMode().text()))
        .addToData("slot", TokenSecret.encoded(access.slot()))
        .build();
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
