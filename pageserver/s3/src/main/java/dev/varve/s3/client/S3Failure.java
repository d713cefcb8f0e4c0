package dev.varve.s3.client;

import dev.varve.engine.store.StoreRefusedException;
import dev.varve.engine.store.StoreThrottledException;
import java.io.IOException;
import java.util.Set;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * What an answer that is no success means, by <a
 * href="https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html">S3's error codes</a>
 * and, for servers with codes of their own, by status.
 */
final class S3Failure {
  private static final int NOT_FOUND = 404;
  private static final Set<Integer> THROTTLED = Set.of(429, 503, 509);
  private static final Set<String> THROTTLED_CODES =
      Set.of(
          "SlowDown",
          "SlowDownRead",
          "SlowDownWrite",
          "Throttling",
          "ThrottlingException",
          "RequestLimitExceeded",
          "RequestThrottled",
          "TooManyRequests",
          "BandwidthLimitExceeded");

  /** Client errors that are not this program's or its configuration's: 408, 409, 425. */
  private static final Set<Integer> PASSING = Set.of(408, 409, 425);

  /** 400s that a bad line makes. */
  private static final Set<String> PASSING_CODES =
      Set.of("RequestTimeout", "BadDigest", "IncompleteBody", "InternalError", "OperationAborted");

  private static final int NOT_IMPLEMENTED = 501;

  private S3Failure() {}

  /** Whether the object, and not the bucket, is not there. */
  static boolean isMissingObject(S3Exception e) {
    return e.statusCode() == NOT_FOUND && !code(e).equals("NoSuchBucket");
  }

  static String code(S3Exception e) {
    return e.awsErrorDetails() == null || e.awsErrorDetails().errorCode() == null
        ? ""
        : e.awsErrorDetails().errorCode();
  }

  /** The exception that {@code ObjectStore} promises; {@code e} is its cause. */
  static IOException of(String what, SdkException e, S3Settings settings) {
    S3Remedy remedy = new S3Remedy(settings);
    if (!(e instanceof S3Exception s3)) {
      if (isUnconfigured(e)) {
        return new StoreRefusedException(what + ": " + remedy.credentials(), e);
      }
      String message = what + ": " + root(e) + remedy.connection(e);
      return S3Remedy.isLasting(e)
          ? new StoreRefusedException(message, e)
          : new IOException(message, e);
    }
    int status = s3.statusCode();
    String code = code(s3);
    String message = what + ": " + words(s3);
    if (THROTTLED_CODES.contains(code) || THROTTLED.contains(status) && !isDown(s3)) {
      return new StoreThrottledException(message, e);
    }
    if (PASSING.contains(status) || PASSING_CODES.contains(code)) {
      return new IOException(message, e);
    }
    if (status == NOT_IMPLEMENTED || status >= 300 && status < 500 && status != 412) {
      return new StoreRefusedException(message + remedy.answer(s3), e);
    }
    return new IOException(message, e);
  }

  /** Status, code, and what the server says beside. */
  private static String words(S3Exception e) {
    String said = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorMessage();
    return "HTTP status "
        + e.statusCode()
        + (code(e).isEmpty() ? "" : ", " + code(e))
        + (said == null || said.isEmpty() ? "" : ": " + said)
        + (e.requestId() == null ? "" : " (request " + e.requestId() + ")");
  }

  /** 503 is S3's word for too many requests, and a load balancer's for no server. */
  private static boolean isDown(S3Exception e) {
    return e.statusCode() == 503 && code(e).isEmpty() || code(e).equals("ServiceUnavailable");
  }

  private static boolean isUnconfigured(SdkException e) {
    return e instanceof SdkClientException
        && String.valueOf(e.getMessage()).startsWith("Unable to load credentials");
  }

  /** The SDK's own words say nothing that the deepest cause does not. */
  private static String root(Throwable e) {
    Throwable deepest = e;
    Throwable named = e;
    while (deepest.getCause() != null) {
      if (deepest instanceof java.io.InterruptedIOException && deepest.getMessage() != null) {
        return deepest.getMessage(); // of the watch
      }
      deepest = deepest.getCause();
      if (deepest.getMessage() != null) {
        named = deepest;
      }
    }
    return named instanceof SdkException || named.getClass() == IOException.class
        ? String.valueOf(named.getMessage())
        : named.toString();
  }
}
