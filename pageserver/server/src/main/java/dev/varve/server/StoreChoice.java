package dev.varve.server;

import dev.varve.engine.store.LocalObjectStore;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.ProbedObjectStore;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.engine.store.StoreOutages;
import dev.varve.engine.store.StoreProbe;
import dev.varve.s3.client.S3ObjectStore;
import dev.varve.s3.client.S3Settings;
import dev.varve.server.config.ServerConfig;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The object store that {@code varve.store} names, and what is put around it: attempts are metered,
 * repeated, and allowed to create anything only once the store has been probed.
 */
final class StoreChoice implements AutoCloseable {
  private static final String DIRECTORY = "directory:";
  private static final String S3 = "s3://";
  private static final int ATTEMPTS = 6;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(50);

  private final RetryingObjectStore retrying;
  private final @Nullable S3ObjectStore s3;

  private StoreChoice(ObjectStore attempts, @Nullable S3ObjectStore s3) {
    this.retrying = new RetryingObjectStore(attempts, ATTEMPTS, FIRST_PAUSE);
    this.s3 = s3;
  }

  /**
   * @param metered put around what makes one attempt a call
   */
  static StoreChoice open(ServerConfig config, UnaryOperator<ObjectStore> metered)
      throws IOException {
    String store = config.store();
    if (store.startsWith(DIRECTORY) && store.length() > DIRECTORY.length()) {
      Path directory = Path.of(store.substring(DIRECTORY.length()));
      return new StoreChoice(metered.apply(new LocalObjectStore(directory)), null);
    }
    if (store.startsWith(S3)) {
      S3ObjectStore s3 = new S3ObjectStore(settings(store, config.s3()));
      return new StoreChoice(metered.apply(s3), s3);
    }
    throw new IllegalArgumentException(
        "varve.store=" + store + " is neither directory:PATH nor s3://BUCKET/PREFIX");
  }

  private static S3Settings settings(String store, ServerConfig.S3 s3) {
    return S3Settings.of(
        store,
        s3.endpoint().map(URI::create).orElse(null),
        s3.region(),
        s3.pathStyle(),
        s3.accessKey().orElse(null),
        s3.secretKey().orElse(null),
        s3.progressTimeout());
  }

  /** A new probe of it. */
  StoreProbe probe() {
    return new StoreProbe(
        retrying, s3 == null ? null : s3::putInParts, RandomGenerator.getDefault());
  }

  /** The store as timelines use it. */
  ObjectStore probed() {
    return new ProbedObjectStore(retrying, this::probe);
  }

  /** What of it fails just now. */
  StoreOutages outages() {
    return retrying.outages();
  }

  @Override
  public void close() {
    if (s3 != null) {
      s3.close();
    }
  }
}
