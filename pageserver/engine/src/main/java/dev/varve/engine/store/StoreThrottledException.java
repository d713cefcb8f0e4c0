package dev.varve.engine.store;

import java.io.IOException;

/** The store is asked too often; it wants fewer requests, not the same ones again at once. */
public final class StoreThrottledException extends IOException {
  private static final long serialVersionUID = 1L;

  public StoreThrottledException(String message, Throwable cause) {
    super(message, cause);
  }
}
