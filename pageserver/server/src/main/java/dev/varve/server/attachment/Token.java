package dev.varve.server.attachment;

import dev.varve.engine.PageserverException.InvalidRequest;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/**
 * A secret that a caller shows, known by its SHA-256 only. Compared in constant time. Immutable.
 */
public final class Token {
  private static final int HASH_BYTES = 32;

  private final byte[] hash;

  private Token(byte[] hash) {
    this.hash = hash;
  }

  /**
   * @throws InvalidRequest when {@code hash} is not the 32 bytes of a SHA-256
   */
  public static Token ofHash(byte[] hash) {
    if (hash.length != HASH_BYTES) {
      throw new InvalidRequest("token_sha256 has " + hash.length + " bytes; expected 32");
    }
    return new Token(hash.clone());
  }

  /** The token itself, as a caller sends it. */
  public static Token of(String text) {
    try {
      return new Token(
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Its SHA-256. */
  public byte[] hash() {
    return hash.clone();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Token token && MessageDigest.isEqual(hash, token.hash);
  }

  @Override
  public int hashCode() {
    return Token.class.hashCode();
  }
}
