package dev.varve.compute.page;

import java.io.IOException;

/** Whoever waited for an answer of the source {@linkplain Waiter gave up}. Carries no trace. */
public final class AbandonedException extends IOException {
  private static final long serialVersionUID = 1L;

  public AbandonedException(String what) {
    super(what + ": whoever waited for it gave up");
  }

  @Override
  public synchronized Throwable fillInStackTrace() {
    return this;
  }
}
