package dev.varve.engine.store;

import java.io.IOException;

/** There is no object of that name. */
public final class ObjectNotFoundException extends IOException {
  private static final long serialVersionUID = 1L;

  public ObjectNotFoundException(String name) {
    super("no object " + name);
  }
}
