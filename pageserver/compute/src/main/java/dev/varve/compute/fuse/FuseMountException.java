package dev.varve.compute.fuse;

import java.io.IOException;

/** Mounting or unmounting failed; the message says what is missing and what to do about it. */
public final class FuseMountException extends IOException {
  private static final long serialVersionUID = 1L;

  public FuseMountException(String message) {
    super(message);
  }
}
