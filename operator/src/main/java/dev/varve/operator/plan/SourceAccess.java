package dev.varve.operator.plan;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.RetainedWalAction;
import dev.varve.crd.Source;
import dev.varve.crd.SslMode;
import dev.varve.crd.Timeline;
import io.fabric8.kubernetes.api.model.Quantity;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import java.util.Objects;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * How a pageserver gets to a primary, and what it may cost it: the spec with its defaults filled in
 * and its password.
 *
 * @param maxRetainedWalBytes 0: as much as the primary lets it
 * @param dropsSlot whether the slot is dropped beyond
 */
public record SourceAccess(
    String host,
    int port,
    String user,
    String password,
    String database,
    SslMode sslMode,
    String slot,
    boolean synchronous,
    long maxRetainedWalBytes,
    boolean dropsSlot) {
  private static final int PORT = 5432;

  /** Of a Timeline with a source that {@link SpecRules} has nothing against. */
  public static SourceAccess of(Timeline timeline, String password) {
    PrimarySource primary = Objects.requireNonNull(timeline.getSpec().source()).primary();
    return new SourceAccess(
        host(timeline, primary),
        port(primary),
        primary.user(),
        password,
        primary.database() == null ? "postgres" : primary.database(),
        primary.sslMode() == null ? SslMode.PREFER : primary.sslMode(),
        Objects.requireNonNull(SlotName.of(timeline)),
        Boolean.TRUE.equals(primary.synchronous()),
        bytes(primary.maxRetainedWal()),
        primary.retainedWalAction() == RetainedWalAction.DROP_SLOT);
  }

  /** Of an amount as {@link SpecRules} takes it: {@code 50Gi}. */
  private static long bytes(@Nullable String quantity) {
    return quantity == null
        ? 0
        : Quantity.getAmountInBytes(new Quantity(quantity)).longValueExact();
  }

  private static String host(Timeline timeline, PrimarySource primary) {
    String host = primary.host();
    return host.indexOf('.') < 0 && host.indexOf(':') < 0
        ? host + "." + timeline.getMetadata().getNamespace() + ".svc"
        : host;
  }

  private static int port(PrimarySource primary) {
    return primary.port() == null ? PORT : primary.port();
  }

  /** Where a Timeline's primary is, as text; empty without a source or with one that is invalid. */
  public static String address(Timeline timeline) {
    Source source = timeline.getSpec().source();
    return source == null || !SpecRules.source(source).isEmpty()
        ? ""
        : address(host(timeline, source.primary()), port(source.primary()));
  }

  private static String address(String host, int port) {
    return host.indexOf(':') < 0 ? host + ":" + port : "[" + host + "]:" + port;
  }

  /** {@code HOST:PORT}. */
  public String address() {
    return address(host, port);
  }

  /**
   * A digest of all of it that tells nothing to those who do not know {@code key}: it is shown in
   * the status, and a password can be guessed.
   */
  String digest(String key) {
    String access =
        String.join("\0", host, "" + port, user, password, database, sslMode.text(), slot);
    // What is left out as before leaves the digest as it was, so that nothing is attached anew.
    boolean costsMore = synchronous || maxRetainedWalBytes != 0;
    return digest(
        key,
        costsMore
            ? String.join("\0", access, "" + synchronous, "" + maxRetainedWalBytes, "" + dropsSlot)
            : access);
  }

  static String digest(String key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      byte[] digest = mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 8);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has HmacSHA256", e);
    }
  }

  /** Without the password. */
  @Override
  public String toString() {
    return user + "@" + address() + " slot " + slot;
  }
}
