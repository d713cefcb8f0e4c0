package dev.varve.engine.store;

import java.io.IOException;

/**
 * Objects that were stored, and that nobody had to remove, are gone: the store was emptied, or is
 * another one. A person has to bring them back.
 */
public class ObjectsMissingException extends IOException {
  private static final long serialVersionUID = 1L;

  public ObjectsMissingException(String message) {
    super(message);
  }
}
