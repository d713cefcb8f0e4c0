package dev.varve.compute.page;

import java.io.IOException;

/**
 * Whoever waited for an answer of the source {@linkplain Waiter gave up}, or closed the source.
 * Nothing that a log is told. Carries no trace.
 */
public final class AbandonedException extends IOException {
  private static final long serialVersionUID = 1L;

  public AbandonedException(String what) {
    super(what + " was given up");
  }

  @Override
  public synchronized Throwable fillInStackTrace() {
    return this;
  }
}
