package dev.varve.compute.page;

import org.jspecify.annotations.Nullable;

/**
 * The token that the reads of one volume show, which may be replaced while they run. The one before
 * is kept: the pageserver may hear of a new token later than the volume does, or sooner. Whichever
 * is refused gives way to the other. Thread-safe.
 */
public final class ReadToken {
  private final boolean replaceable;
  private volatile Shown shown;
  private @Nullable String other;

  /** Since a read succeeded last; written under this. */
  private volatile int refusals;

  /** What calls show from a moment on; {@code version} tells them apart. */
  record Shown(long version, @Nullable String token) {}

  private ReadToken(@Nullable String token, boolean replaceable) {
    this.shown = new Shown(0, token);
    this.replaceable = replaceable;
  }

  /**
   * A token that stays: a refusal is final.
   *
   * @param token null for none
   */
  public static ReadToken fixed(@Nullable String token) {
    return new ReadToken(token, false);
  }

  /**
   * A token that may be {@link #replace replaced}: reads that are refused wait for the next one.
   */
  public static ReadToken replaceable(@Nullable String token) {
    return new ReadToken(token, true);
  }

  boolean isReplaceable() {
    return replaceable;
  }

  /** Asked before a call begins. */
  Shown shown() {
    return shown;
  }

  /** Later calls show this one. */
  public synchronized void replace(String token) {
    Shown before = shown;
    if (token.equals(before.token())) {
      return;
    }
    other = before.token();
    shown = new Shown(before.version() + 1, token);
  }

  /** A call that showed this was refused. */
  synchronized void refuse(Shown tried) {
    Shown before = shown;
    if (tried.version() != before.version()) {
      return;
    }
    refusals = refusals + 1;
    if (other != null) {
      shown = new Shown(before.version() + 1, other);
      other = before.token();
    }
  }

  /** A call succeeded. */
  void accept() {
    if (refusals != 0) {
      recover();
    }
  }

  private synchronized void recover() {
    refusals = 0;
  }

  /** Whether no token that is known has been accepted lately, though each was tried. */
  public synchronized boolean isRefused() {
    return refusals >= (other == null ? 1 : 2);
  }
}
