package dev.varve.server.store;

import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Request;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Objects in a bucket of S3 or of a server that speaks its protocol. Needs conditional writes
 * ({@code If-None-Match: *}) and listings that see what was written.
 *
 * <p>One call is one request (a listing one for each thousand names), tried once: retries are for
 * {@code RetryingObjectStore} around this. A request whose outcome is not known throws {@link
 * IOException}. 412 is {@link ObjectExistsException}; 409, another conditional write of that name
 * being under way, is not yet decided and so a plain {@link IOException} to try again.
 *
 * <p>Any thread; blocking.
 */
public final class S3ObjectStore implements ObjectStore, AutoCloseable {
  private static final Pattern NAME =
      Pattern.compile("[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*");
  private static final int NOT_FOUND = 404;
  private static final int PRECONDITION_FAILED = 412;
  private static final int RANGE_NOT_SATISFIABLE = 416;

  private final S3Client client;
  private final String bucket;
  private final String prefix;

  /** Nothing is sent before the first call. */
  public S3ObjectStore(S3Settings settings) {
    this.bucket = settings.bucket();
    this.prefix = settings.prefix();
    S3ClientBuilder builder =
        S3Client.builder()
            .region(Region.of(settings.region()))
            .forcePathStyle(settings.pathStyle())
            .credentialsProvider(credentials(settings))
            // Servers that are not AWS often do not know the newer checksums; whatever is stored
            // here has its own.
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .httpClientBuilder(
                Apache5HttpClient.builder()
                    .maxConnections(settings.connections())
                    .connectionTimeout(settings.attemptTimeout())
                    .socketTimeout(settings.attemptTimeout()))
            .overrideConfiguration(override ->
                override
                    .apiCallAttemptTimeout(settings.attemptTimeout())
                    .retryStrategy(DefaultRetryStrategy.doNotRetry()));
    if (settings.endpoint() != null) {
      builder.endpointOverride(settings.endpoint());
    }
    client = builder.build();
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
    T send();
  }

  private static <T> T send(String what, String name, Request<T> request) throws IOException {
    try {
      return request.send();
    } catch (S3Exception e) {
      if (e.statusCode() == NOT_FOUND && !"NoSuchBucket".equals(errorCode(e))) {
        throw new ObjectNotFoundException(name);
      }
      throw new IOException(what + " " + name + ": " + e.getMessage(), e);
    } catch (SdkException e) {
      throw new IOException(what + " " + name + ": " + e.getMessage(), e);
    }
  }

  private static String errorCode(S3Exception e) {
    return e.awsErrorDetails() == null || e.awsErrorDetails().errorCode() == null
        ? ""
        : e.awsErrorDetails().errorCode();
  }

  @Override
  public byte[] get(String name) throws IOException {
    GetObjectRequest request = GetObjectRequest.builder().bucket(bucket).key(key(name)).build();
    return whole(name, send("get", name, () -> client.getObjectAsBytes(request)));
  }

  private static byte[] whole(String name, ResponseBytes<GetObjectResponse> answer)
      throws IOException {
    byte[] bytes = answer.asByteArrayUnsafe();
    Long said = answer.response().contentLength();
    if (said != null && said != bytes.length) {
      throw new EOFException(name + ": " + bytes.length + " bytes came instead of " + said);
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
    GetObjectRequest request =
        GetObjectRequest.builder()
            .bucket(bucket)
            .key(key(name))
            .range("bytes=" + offset + "-" + (offset + length - 1))
            .build();
    byte[] bytes;
    try {
      bytes = send("get", name, () -> client.getObjectAsBytes(request)).asByteArrayUnsafe();
    } catch (IOException e) {
      if (e.getCause() instanceof S3Exception s3 && s3.statusCode() == RANGE_NOT_SATISFIABLE) {
        throw new EOFException(name + " ends before byte " + offset);
      }
      throw e;
    }
    if (bytes.length != length) {
      throw new EOFException(
          name + ": " + bytes.length + " bytes at " + offset + " came instead of " + length);
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
    PutObjectRequest request = PutObjectRequest.builder().bucket(bucket).key(key(name)).build();
    send("put", name, () -> client.putObject(request, RequestBody.fromFile(file)));
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
    ListObjectsV2Request request =
        ListObjectsV2Request.builder().bucket(bucket).prefix(prefix + namePrefix).build();
    List<ObjectEntry> entries =
        send(
            "list",
            namePrefix,
            () -> {
              List<ObjectEntry> found = new ArrayList<>();
              for (S3Object object : client.listObjectsV2Paginator(request).contents()) {
                found.add(new ObjectEntry(object.key().substring(prefix.length()), object.size()));
              }
              return found;
            });
    // S3 lists in this order; other servers need not.
    entries.sort(Comparator.comparing(ObjectEntry::name));
    return entries;
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

  @Override
  public void close() {
    client.close();
  }
}
