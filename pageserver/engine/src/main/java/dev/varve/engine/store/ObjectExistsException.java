package dev.varve.engine.store;

import java.io.IOException;

/** Exclusive creation lost: there is an object of that name. */
public final class ObjectExistsException extends IOException {
  private static final long serialVersionUID = 1L;

  public ObjectExistsException(String name) {
    super("object exists already: " + name);
  }
}
