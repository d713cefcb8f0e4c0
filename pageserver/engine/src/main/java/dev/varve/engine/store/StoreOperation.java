package dev.varve.engine.store;

import java.util.Locale;

/** What is asked of an object store. */
public enum StoreOperation {
  GET,
  GET_RANGE,
  PUT,
  PUT_FILE,
  CREATE,
  LIST,
  DELETE;

  /** As metrics and messages name it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
