package dev.varve.operator.plan;

import dev.varve.crd.PrimarySource;
import dev.varve.crd.RetainedWalAction;
import dev.varve.crd.SslMode;
import io.fabric8.kubernetes.api.model.Quantity;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
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
  /** One that costs the primary what it lets a standby cost. */
  public SourceAccess(
      String host,
      int port,
      String user,
      String password,
      String database,
      SslMode sslMode,
      String slot) {
    this(host, port, user, password, database, sslMode, slot, false, 0, false);
  }

  /** PostgreSQL takes 63; a shard's slot has {@code _63} behind at the longest. */
  private static final int MAX_SLOT_CHARACTERS = 60;

  /** Of a Timeline's source. */
  public static SourceAccess of(
      String namespace, String timeline, PrimarySource primary, String password) {
    String host = primary.host();
    String slot = primary.slot();
    return new SourceAccess(
        host.indexOf('.') < 0 && host.indexOf(':') < 0 ? host + "." + namespace + ".svc" : host,
        primary.port() == null ? 5432 : primary.port(),
        primary.user(),
        password,
        primary.database() == null ? "postgres" : primary.database(),
        primary.sslMode() == null ? SslMode.PREFER : primary.sslMode(),
        slot != null ? slot : defaultSlot(namespace, timeline),
        Boolean.TRUE.equals(primary.synchronous()),
        bytes(primary.maxRetainedWal()),
        primary.retainedWalAction() == RetainedWalAction.DROP_SLOT);
  }

  /** As {@code 50Gi}; the definition lets nothing else in. */
  private static long bytes(@Nullable String quantity) {
    return quantity == null
        ? 0
        : Quantity.getAmountInBytes(new Quantity(quantity)).longValueExact();
  }

  private static String defaultSlot(String namespace, String timeline) {
    String name = ("varve_" + namespace + "_" + timeline).replace('-', '_');
    return name.length() <= MAX_SLOT_CHARACTERS
        ? name
        : name.substring(0, MAX_SLOT_CHARACTERS - 9)
            + "_"
            + "%08x".formatted((namespace + "/" + timeline).hashCode());
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
    return user + "@" + host + ":" + port + " slot " + slot;
  }
}
