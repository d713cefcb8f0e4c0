package dev.varve.s3.client;

import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.StoreRefusedException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Request;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Objects in a bucket of S3 or of a server that speaks its protocol. What is needed of it is in
 * {@code StoreProbe}.
 *
 * <p>One call is one request, tried once, but for a listing (one for each thousand names) and a
 * large file ({@link S3Uploads}): retries are for {@code RetryingObjectStore} around this. Requests
 * end when they do not move, not when they take long ({@link RequestWatch}). {@link S3Failure} says
 * which answer is which exception; 409, another conditional write of that name being under way, is
 * not yet decided and so a plain {@link IOException} to try again.
 *
 * <p>Any thread; blocking.
 */
public final class S3ObjectStore implements ObjectStore, AutoCloseable {
  private static final Pattern NAME =
      Pattern.compile("[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*");
  private static final Duration CONNECTION_TIMEOUT = Duration.ofSeconds(10);
  private static final int PRECONDITION_FAILED = 412;
  private static final int RANGE_NOT_SATISFIABLE = 416;
  private static final int PARTIAL_CONTENT = 206;

  private final S3Settings settings;
  private final S3Client client;
  private final String bucket;
  private final String prefix;
  private final S3Uploads uploads;

  /** Nothing is sent before the first call. */
  public S3ObjectStore(S3Settings settings) {
    this.settings = settings;
    this.bucket = settings.bucket();
    this.prefix = settings.prefix();
    Duration timeout = settings.progressTimeout();
    S3ClientBuilder builder =
        S3Client.builder()
            .region(Region.of(settings.region()))
            .forcePathStyle(settings.pathStyle())
            .credentialsProvider(credentials(settings))
            // Servers that are not AWS often do not know the newer checksums; whatever is stored
            // here has its own.
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .httpClient(
                new WatchedHttpClient(
                    Apache5HttpClient.builder()
                        .maxConnections(settings.connections())
                        .connectionTimeout(
                            timeout.compareTo(CONNECTION_TIMEOUT) < 0
                                ? timeout
                                : CONNECTION_TIMEOUT)
                        .connectionAcquisitionTimeout(timeout)
                        // The watch sees both directions; this is not to be ahead of it.
                        .socketTimeout(Duration.ZERO)
                        .build(),
                    new RequestWatch(timeout)))
            .overrideConfiguration(
                override -> override.retryStrategy(DefaultRetryStrategy.doNotRetry()));
    if (settings.endpoint() != null) {
      builder.endpointOverride(settings.endpoint());
    }
    client = builder.build();
    uploads = new S3Uploads(client, bucket, settings.partBytes());
  }

  private static AwsCredentialsProvider credentials(S3Settings settings) {
    String accessKey = settings.accessKey();
    String secretKey = settings.secretKey();
    return accessKey == null || secretKey == null
        ? DefaultCredentialsProvider.builder().build()
        : StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
  }

  private String key(String name) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("not an object name: '" + name + "'");
    }
    return prefix + name;
  }

  /** One request. */
  private interface Request<T> {
    T send() throws IOException;
  }

  private <T> T send(String what, String name, Request<T> request) throws IOException {
    try {
      return request.send();
    } catch (S3Exception e) {
      if (S3Failure.isMissingObject(e)) {
        throw new ObjectNotFoundException(name);
      }
      throw S3Failure.of(what + " " + name, e, settings);
    } catch (SdkException e) {
      throw S3Failure.of(what + " " + name, e, settings);
    }
  }

  @Override
  public byte[] get(String name) throws IOException {
    GetObjectRequest request = GetObjectRequest.builder().bucket(bucket).key(key(name)).build();
    return send(
        "get",
        name,
        () ->
            client.getObject(
                request, (ResponseTransformer<GetObjectResponse, byte[]>) S3ObjectStore::whole));
  }

  private static byte[] whole(GetObjectResponse response, AbortableInputStream body)
      throws IOException {
    byte[] bytes = body.readAllBytes();
    Long said = response.contentLength();
    if (said != null && said != bytes.length) {
      throw new EOFException(bytes.length + " bytes came instead of " + said);
    }
    return bytes;
  }

  @Override
  public byte[] getRange(String name, long offset, int length) throws IOException {
    if (offset < 0 || length < 0) {
      throw new IllegalArgumentException("range " + offset + " + " + length);
    }
    if (length == 0) {
      return new byte[0];
    }
    String range = offset + "-" + (offset + length - 1);
    GetObjectRequest request =
        GetObjectRequest.builder().bucket(bucket).key(key(name)).range("bytes=" + range).build();
    byte @Nullable [] bytes;
    try {
      bytes =
          send(
              "get",
              name,
              () ->
                  client.getObject(
                      request,
                      (ResponseTransformer<GetObjectResponse, byte @Nullable []>)
                          (response, body) -> part(response, body, range, length)));
    } catch (IOException e) {
      if (e.getCause() instanceof S3Exception s3 && s3.statusCode() == RANGE_NOT_SATISFIABLE) {
        throw new EOFException(name + " ends before byte " + offset);
      }
      throw e;
    }
    if (bytes == null) {
      throw new StoreRefusedException(
          "get " + name + ": the server ignores the range " + range + " that it was asked for");
    }
    if (bytes.length != length) {
      throw new EOFException(
          name + ": " + bytes.length + " bytes at " + offset + " came instead of " + length);
    }
    return bytes;
  }

  /** At most {@code length} bytes; null when the answer is not of that range. */
  private static byte @Nullable [] part(
      GetObjectResponse response, AbortableInputStream body, String range, int length)
      throws IOException {
    String said = response.contentRange();
    if (response.sdkHttpResponse().statusCode() != PARTIAL_CONTENT
        || said != null && !said.startsWith("bytes " + range.substring(0, range.indexOf('-') + 1))
        || response.contentLength() != null && response.contentLength() > length) {
      body.abort(); // the rest may be as long as the object
      return null;
    }
    byte[] bytes = body.readNBytes(length);
    if (bytes.length == length && body.read() >= 0) {
      body.abort();
      return null;
    }
    return bytes;
  }

  @Override
  public void put(String name, byte[] bytes) throws IOException {
    PutObjectRequest request = PutObjectRequest.builder().bucket(bucket).key(key(name)).build();
    send("put", name, () -> client.putObject(request, RequestBody.fromBytes(bytes)));
  }

  @Override
  public void putFile(String name, Path file) throws IOException {
    String key = key(name);
    if (uploads.wantsParts(Files.size(file))) {
      putInParts(name, file);
      return;
    }
    PutObjectRequest request = PutObjectRequest.builder().bucket(bucket).key(key).build();
    send("put", name, () -> client.putObject(request, RequestBody.fromFile(file)));
  }

  /** {@link #putFile} as an upload in parts, whatever the file's length. */
  public void putInParts(String name, Path file) throws IOException {
    String key = key(name);
    send(
        "put",
        name,
        () -> {
          uploads.upload(key, file);
          return name;
        });
  }

  @Override
  public void create(String name, byte[] bytes) throws IOException {
    PutObjectRequest request =
        PutObjectRequest.builder().bucket(bucket).key(key(name)).ifNoneMatch("*").build();
    try {
      send("create", name, () -> client.putObject(request, RequestBody.fromBytes(bytes)));
    } catch (IOException e) {
      if (e.getCause() instanceof S3Exception s3 && s3.statusCode() == PRECONDITION_FAILED) {
        throw new ObjectExistsException(name);
      }
      throw e;
    }
  }

  @Override
  public List<ObjectEntry> list(String namePrefix) throws IOException {
    String wanted = prefix + namePrefix;
    List<ObjectEntry> entries = new ArrayList<>();
    String token = null;
    do {
      ListObjectsV2Request request =
          ListObjectsV2Request.builder()
              .bucket(bucket)
              .prefix(wanted)
              .continuationToken(token)
              .build();
      ListObjectsV2Response page = send("list", namePrefix, () -> client.listObjectsV2(request));
      addEntries(page, namePrefix, entries);
      String next = Boolean.TRUE.equals(page.isTruncated()) ? page.nextContinuationToken() : null;
      if (next != null && next.equals(token)) {
        throw new StoreRefusedException(
            "list "
                + namePrefix
                + ": the server's pages do not go on behind "
                + entries.size()
                + " names");
      }
      token = next;
    } while (token != null);
    // S3 lists in this order; other servers need not.
    entries.sort(Comparator.comparing(ObjectEntry::name));
    return entries;
  }

  /** One request. A server that lists in another order than S3 does is refused. */
  @Override
  public List<ObjectEntry> list(String namePrefix, String after) throws IOException {
    ListObjectsV2Request request =
        ListObjectsV2Request.builder()
            .bucket(bucket)
            .prefix(prefix + namePrefix)
            .startAfter(after.isEmpty() ? null : prefix + after)
            .build();
    ListObjectsV2Response page = send("list", namePrefix, () -> client.listObjectsV2(request));
    List<ObjectEntry> entries = new ArrayList<>();
    addEntries(page, namePrefix, entries);
    String last = after;
    for (ObjectEntry entry : entries) {
      if (entry.name().compareTo(last) <= 0) {
        throw new StoreRefusedException(
            "list " + namePrefix + ": the server lists " + entry.name() + " behind " + last);
      }
      last = entry.name();
    }
    return entries;
  }

  private void addEntries(ListObjectsV2Response page, String namePrefix, List<ObjectEntry> entries)
      throws IOException {
    for (S3Object object : page.contents()) {
      if (!object.key().startsWith(prefix + namePrefix)) {
        throw new StoreRefusedException(
            "list " + namePrefix + ": the server lists " + object.key() + " as well");
      }
      entries.add(
          new ObjectEntry(
              object.key().substring(prefix.length()),
              object.size(),
              Objects.requireNonNullElse(object.lastModified(), Instant.EPOCH)));
    }
  }

  @Override
  public void delete(String name) throws IOException {
    String key = key(name);
    try {
      send("delete", name, () -> client.deleteObject(delete -> delete.bucket(bucket).key(key)));
    } catch (ObjectNotFoundException e) {
      // As wanted.
      return;
    }
  }

  /** Also gives up the uploads that were begun and not finished. */
  @Override
  public void close() {
    uploads.close();
    client.close();
  }
}
