package dev.varve.engine.store;

import java.io.IOException;

/**
 * The store understood and refuses: credentials, rights, bucket, region, clock, or something that
 * it does not implement. A person must mend that; trying again at once changes nothing.
 */
public final class StoreRefusedException extends IOException {
  private static final long serialVersionUID = 1L;

  public StoreRefusedException(String message, Throwable cause) {
    super(message, cause);
  }

  public StoreRefusedException(String message) {
    super(message);
  }
}
