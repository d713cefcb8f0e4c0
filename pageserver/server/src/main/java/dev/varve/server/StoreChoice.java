package dev.varve.server;

import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.server.config.ServerConfig;
import dev.varve.server.store.S3ObjectStore;
import dev.varve.server.store.S3Settings;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;

/** The object store that {@code varve.store} names. */
final class StoreChoice {
  private static final String DIRECTORY = "directory:";
  private static final String S3 = "s3://";
  private static final int ATTEMPTS = 6;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(50);

  private StoreChoice() {}

  static ObjectStore open(ServerConfig config) throws IOException {
    String store = config.store();
    if (store.startsWith(DIRECTORY) && store.length() > DIRECTORY.length()) {
      return new LocalObjectStore(Path.of(store.substring(DIRECTORY.length())));
    }
    if (store.startsWith(S3)) {
      ServerConfig.S3 s3 = config.s3();
      S3Settings settings =
          S3Settings.of(
              store,
              s3.endpoint().map(URI::create).orElse(null),
              s3.region(),
              s3.pathStyle(),
              s3.accessKey().orElse(null),
              s3.secretKey().orElse(null));
      return new RetryingObjectStore(new S3ObjectStore(settings), ATTEMPTS, FIRST_PAUSE);
    }
    throw new IllegalArgumentException(
        "varve.store=" + store + " is neither directory:PATH nor s3://BUCKET/PREFIX");
  }
}
