package dev.varve.cli;

import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.s3.client.S3ObjectStore;
import dev.varve.s3.client.S3Settings;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The object store that a command reads: a directory that is there, or a bucket. */
final class OpenedStore implements AutoCloseable {
  private static final String DIRECTORY = "directory:";
  private static final String S3 = "s3://";
  private static final int ATTEMPTS = 6;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(50);

  private final ObjectStore store;
  private final @Nullable S3ObjectStore s3;

  private OpenedStore(ObjectStore attempts, @Nullable S3ObjectStore s3) {
    this.store = new RetryingObjectStore(attempts, ATTEMPTS, FIRST_PAUSE);
    this.s3 = s3;
  }

  /**
   * Opens what {@code varve.store} may name; nothing is asked of a bucket yet.
   *
   * @throws IllegalArgumentException when it names nothing, or a setting cannot be right
   * @throws IOException when the directory is not there
   */
  static OpenedStore open(String location, StoreConfig config) throws IOException {
    if (location.startsWith(DIRECTORY) && location.length() > DIRECTORY.length()) {
      Path directory = Path.of(location.substring(DIRECTORY.length()));
      if (!Files.isDirectory(directory)) {
        throw new NotDirectoryException(directory.toString());
      }
      return new OpenedStore(new LocalObjectStore(directory), null);
    }
    if (location.startsWith(S3)) {
      S3ObjectStore s3 =
          new S3ObjectStore(
              S3Settings.of(
                  location,
                  config.endpoint().map(URI::create).orElse(null),
                  config.region(),
                  config.pathStyle(),
                  config.accessKey().orElse(null),
                  config.secretKey().orElse(null),
                  config.progressTimeout()));
      return new OpenedStore(s3, s3);
    }
    throw new IllegalArgumentException(
        "the store " + location + " is neither directory:PATH nor s3://BUCKET/PREFIX");
  }

  ObjectStore store() {
    return store;
  }

  @Override
  public void close() {
    if (s3 != null) {
      s3.close();
    }
  }
}
