package dev.varve.server.source;

import dev.varve.engine.PageserverException.InvalidRequest;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How much TLS is asked of the primary, by libpq's names for {@code sslmode}. */
public enum SslMode {
  /** Plain text. */
  DISABLE,
  /** TLS when the server offers it, its certificate unchecked; else plain text. */
  PREFER,
  /** TLS or nothing, the certificate unchecked. */
  REQUIRE,
  /** TLS with a certificate that leads to a trusted root. */
  VERIFY_CA,
  /** As {@link #VERIFY_CA}, and the certificate names the host that was dialled. */
  VERIFY_FULL;

  /**
   * The mode of this name; the empty string is {@link #PREFER}.
   *
   * @throws InvalidRequest naming the modes there are
   */
  public static SslMode of(String name) {
    if (name.isEmpty()) {
      return PREFER;
    }
    for (SslMode mode : values()) {
      if (mode.toString().equals(name)) {
        return mode;
      }
    }
    throw new InvalidRequest(
        "sslmode '"
            + name
            + "' is not one of "
            + Arrays.stream(values()).map(SslMode::toString).collect(Collectors.joining(", ")));
  }

  /** libpq's name. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
