package dev.varve.s3.client;

import java.net.URI;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a bucket is reached.
 *
 * @param bucket its name
 * @param prefix put in front of every object's name: empty, or with a slash at its end
 * @param endpoint of a server that is not AWS; null: AWS itself
 * @param region as the server names it
 * @param pathStyle bucket in the path instead of the host name
 * @param accessKey null together with {@code secretKey}: the SDK's usual places are searched
 * @param progressTimeout how long a request may go on without a byte that moves, either way
 * @param partBytes of a file that is uploaded in parts, which one of more than twice that is
 * @param connections open at once, at most
 */
public record S3Settings(
    String bucket,
    String prefix,
    @Nullable URI endpoint,
    String region,
    boolean pathStyle,
    @Nullable String accessKey,
    @Nullable String secretKey,
    Duration progressTimeout,
    int partBytes,
    int connections) {
  private static final String SCHEME = "s3://";

  /** S3 wants 5 MB at least of every part but the last. */
  private static final int PART_BYTES = 8 << 20;

  private static final int MIN_PART_BYTES = 5 << 20;

  /** More than {@code varve.read.concurrency}, so that uploads find one when all reads wait. */
  private static final int CONNECTIONS = 128;

  /**
   * @throws IllegalArgumentException naming the setting that cannot be
   */
  public S3Settings {
    if (bucket.contains("@") || endpoint != null && isWithCredentials(endpoint)) {
      // Not repeated: it may be logged.
      throw new IllegalArgumentException(
          "a user or password is in varve.store or varve.s3.endpoint: write s3://BUCKET/PREFIX and"
              + " http://HOST:PORT, and the keys into varve.s3.access-key and varve.s3.secret-key");
    }
    if (bucket.isEmpty() || bucket.contains("/")) {
      throw new IllegalArgumentException("not a bucket: '" + bucket + "'");
    }
    if (prefix.startsWith("/") || !prefix.isEmpty() && !prefix.endsWith("/")) {
      throw new IllegalArgumentException("not a prefix: '" + prefix + "'");
    }
    if (endpoint != null && !isHttp(endpoint)) {
      throw new IllegalArgumentException(
          "varve.s3.endpoint=" + endpoint + " is no address such as https://minio.example:9000");
    }
    if ((accessKey == null) != (secretKey == null)) {
      throw new IllegalArgumentException("an access key and a secret key go together");
    }
    if (progressTimeout.isNegative()
        || progressTimeout.isZero()
        || partBytes < MIN_PART_BYTES
        || connections < 1) {
      throw new IllegalArgumentException(
          "a timeout of "
              + progressTimeout
              + ", parts of "
              + partBytes
              + " bytes, "
              + connections
              + " connections");
    }
  }

  /**
   * From a URL {@code s3://BUCKET} or {@code s3://BUCKET/PREFIX}.
   *
   * @throws IllegalArgumentException when it is not one
   */
  public static S3Settings of(
      String url,
      @Nullable URI endpoint,
      String region,
      boolean pathStyle,
      @Nullable String accessKey,
      @Nullable String secretKey,
      Duration progressTimeout) {
    if (!url.startsWith(SCHEME)) {
      throw new IllegalArgumentException("not s3://BUCKET/PREFIX: '" + url + "'");
    }
    String path = url.substring(SCHEME.length());
    int slash = path.indexOf('/');
    String prefix = slash < 0 ? "" : path.substring(slash + 1);
    return new S3Settings(
        slash < 0 ? path : path.substring(0, slash),
        prefix.isEmpty() || prefix.endsWith("/") ? prefix : prefix + "/",
        endpoint,
        region,
        pathStyle,
        accessKey,
        secretKey,
        progressTimeout,
        PART_BYTES,
        CONNECTIONS);
  }

  private static boolean isWithCredentials(URI endpoint) {
    return String.valueOf(endpoint.getRawAuthority()).contains("@");
  }

  private static boolean isHttp(URI endpoint) {
    String scheme = endpoint.getScheme();
    return endpoint.getHost() != null
        && ("http".equalsIgnoreCase(scheme) || "https".equalsIgnoreCase(scheme));
  }

  /** Without the secret. */
  @Override
  public String toString() {
    return SCHEME + bucket + "/" + prefix + (endpoint == null ? "" : " at " + endpoint);
  }
}
