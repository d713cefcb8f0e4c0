package dev.varve.server;

import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.server.config.ServerConfig;
import java.io.IOException;
import java.nio.file.Path;

/** The object store that {@code varve.store} names. */
final class StoreChoice {
  private static final String DIRECTORY = "directory:";

  private StoreChoice() {}

  static ObjectStore open(ServerConfig config) throws IOException {
    String store = config.store();
    if (store.startsWith(DIRECTORY) && store.length() > DIRECTORY.length()) {
      return new LocalObjectStore(Path.of(store.substring(DIRECTORY.length())));
    }
    throw new IllegalArgumentException(
        "varve.store=" + store + " is neither directory:PATH nor s3://BUCKET/PREFIX");
  }
}
