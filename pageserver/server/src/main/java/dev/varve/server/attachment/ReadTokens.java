package dev.varve.server.attachment;

import dev.varve.engine.PageserverException.InvalidRequest;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tokens that read a timeline: one, and while it is rotated the one before as well. Immutable.
 *
 * @param accepted the newest first, at most two
 * @param isOpen whether a reader needs none
 */
public record ReadTokens(List<Token> accepted, boolean isOpen) {
  /** No token was ever named: everybody reads. */
  public static final ReadTokens NONE = new ReadTokens(List.of(), true);

  /** There were some, which are lost: nobody reads until there is another. */
  static final ReadTokens LOST = new ReadTokens(List.of(), false);

  public ReadTokens {
    accepted = List.copyOf(accepted);
  }

  /**
   * @param hash SHA-256 of the token; empty: there is none
   * @param previous SHA-256 of the one before; empty: there is none
   * @throws InvalidRequest when there is only one before, or one is no SHA-256
   */
  public static ReadTokens ofHashes(byte[] hash, byte[] previous) {
    if (hash.length == 0) {
      if (previous.length != 0) {
        throw new InvalidRequest(
            "previous_token_sha256 is set and token_sha256 is not: name the token that comes after");
      }
      return NONE;
    }
    List<Token> accepted = new ArrayList<>();
    accepted.add(Token.ofHash(hash));
    if (previous.length != 0) {
      accepted.add(Token.ofHash(previous));
    }
    return new ReadTokens(accepted, false);
  }

  /** Whether one who shows this may read. */
  boolean accepts(@Nullable Token shown) {
    return isOpen || (shown != null && accepted.contains(shown));
  }
}
