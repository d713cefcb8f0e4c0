package dev.varve.s3.client;

import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.URI;
import java.net.UnknownHostException;
import java.security.cert.CertificateException;
import java.util.Optional;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.NoHttpResponseException;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * What to do about a failure: names the setting that is the likely cause and what to write there.
 * Each is what stands behind the failure's own words, with the semicolon before it, or empty.
 */
final class S3Remedy {
  private static final String KEYS = "varve.s3.access-key and varve.s3.secret-key";

  /** Where the SDK looks when no key is set. */
  private static final String ENVIRONMENT =
      "those of the environment (AWS_ACCESS_KEY_ID and its like, a profile, or a role)";

  private static final String PATH_STYLE = "varve.s3.path-style=";

  private final S3Settings settings;

  S3Remedy(S3Settings settings) {
    this.settings = settings;
  }

  /** Where there are none. */
  String credentials() {
    return "there are no credentials: set " + KEYS + ", or " + ENVIRONMENT;
  }

  /** Of a request that got no answer of HTTP. */
  String connection(Throwable failure) {
    if (cause(failure, UnknownHostException.class) != null) {
      return "; no address is known for that host: " + hostName();
    }
    if (cause(failure, SSLException.class) != null) {
      return "; " + tls(failure);
    }
    if (cause(failure, ConnectException.class) != null
        || cause(failure, NoRouteToHostException.class) != null) {
      return "; check that the server is up, and host and port in varve.s3.endpoint";
    }
    // Of a server of TLS that does not know plain HTTP, or of one that goes away just now.
    boolean hungUp = isHttp() && cause(failure, NoHttpResponseException.class) != null;
    return hungUp || cause(failure, HttpException.class) != null ? "; " + perhapsTls() : "";
  }

  /** Whether that failure stays until somebody changes a setting or the server. */
  static boolean isLasting(Throwable failure) {
    return isPlain(failure) || isUntrusted(failure);
  }

  private String hostName() {
    if (settings.endpoint() == null) {
      return "check varve.s3.region, and the DNS that this machine asks; a server that is not AWS is"
          + " named in varve.s3.endpoint";
    }
    return settings.pathStyle()
        ? "check the host in varve.s3.endpoint"
        : "set "
            + PATH_STYLE
            + "true if the server wants the bucket in the path and not before its name, else check"
            + " the host in varve.s3.endpoint";
  }

  private String tls(Throwable failure) {
    if (isPlain(failure)) {
      return "the server does not speak TLS there: write http instead of https in"
          + " varve.s3.endpoint, or the port where it does";
    }
    if (isUntrusted(failure)) {
      return "its certificate is of no authority that Java trusts, or for another host: add the"
          + " authority to the trust store (javax.net.ssl.trustStore) and write the certificate's"
          + " host into varve.s3.endpoint"
          + (settings.pathStyle() ? "" : "; " + PATH_STYLE + "true leaves the bucket out of it");
    }
    return "check scheme and port in varve.s3.endpoint";
  }

  private static boolean isPlain(Throwable failure) {
    SSLException tls = cause(failure, SSLException.class);
    return tls != null && String.valueOf(tls.getMessage()).contains("unrecognized SSL message");
  }

  private static boolean isUntrusted(Throwable failure) {
    return cause(failure, SSLPeerUnverifiedException.class) != null
        || cause(failure, CertificateException.class) != null;
  }

  private String perhapsTls() {
    return isHttp()
        ? "write https instead of http in varve.s3.endpoint if the server speaks TLS there"
        : "check host and port in varve.s3.endpoint: is it an S3 server that listens there?";
  }

  private boolean isHttp() {
    URI endpoint = settings.endpoint();
    return endpoint != null && "http".equalsIgnoreCase(endpoint.getScheme());
  }

  /** Of an answer that refuses. */
  String answer(S3Exception e) {
    return switch (S3Failure.code(e)) {
      case "RequestTimeTooSkewed", "RequestExpired" ->
          "; set the clock of this machine, or of the server: they differ by more than a request may"
              + " be old";
      case "AuthorizationHeaderMalformed",
          "AuthorizationQueryParametersError",
          "PermanentRedirect",
          "TemporaryRedirect",
          "IncorrectEndpoint",
          "InvalidRegion",
          "IllegalLocationConstraintException" ->
          region(e);
      case "NoSuchBucket", "InvalidBucketName" -> bucket();
      case "SecondLevelDomainForbidden", "VirtualHostDomainRequired" ->
          "; set " + PATH_STYLE + "false: the server wants the bucket before its name";
      case "SignatureDoesNotMatch" ->
          "; check "
              + (settings.secretKey() == null ? ENVIRONMENT : "varve.s3.secret-key")
              + ", and that no proxy changes host or path";
      case "InvalidAccessKeyId" ->
          "; check " + (settings.accessKey() == null ? ENVIRONMENT : "varve.s3.access-key");
      case "ExpiredToken", "InvalidToken", "TokenRefreshRequired" ->
          "; the credentials have expired or are no more: renew "
              + (settings.accessKey() == null ? ENVIRONMENT : KEYS);
      case "AccessDenied", "AllAccessDisabled" -> rights();
      case "" -> withoutCode(e);
      default -> redirected(e).map(S3Remedy::of).orElse("");
    };
  }

  private String region(S3Exception e) {
    return "; varve.s3.region is "
        + settings.region()
        + redirected(e)
            .map(name -> ", and the bucket is in " + name + ": set that")
            .orElse(": set the bucket's, or check varve.s3.endpoint");
  }

  private static String of(String region) {
    return "; the bucket is in " + region + ": set varve.s3.region";
  }

  private String bucket() {
    return "; make the bucket "
        + settings.bucket()
        + ", or name another in varve.store"
        + (settings.pathStyle() || settings.endpoint() == null
            ? ""
            : "; a server that wants the bucket in the path needs " + PATH_STYLE + "true");
  }

  private static String rights() {
    return "; Get, Put and DeleteObject, ListBucket and AbortMultipartUpload are needed";
  }

  /** A server whose answer is not S3's, or an answer without a body. */
  private String withoutCode(S3Exception e) {
    return redirected(e)
        .map(S3Remedy::of)
        .orElseGet(() ->
            switch (e.statusCode()) {
              case 400 -> "; " + perhapsTls();
              case 401, 403 -> rights() + "; check " + KEYS + ", too";
              default -> "; check host and port in varve.s3.endpoint: is it an S3 server?";
            });
  }

  private static Optional<String> redirected(S3Exception e) {
    return e.awsErrorDetails() == null || e.awsErrorDetails().sdkHttpResponse() == null
        ? Optional.empty()
        : e.awsErrorDetails().sdkHttpResponse().firstMatchingHeader("x-amz-bucket-region");
  }

  private static <T extends Throwable> @Nullable T cause(Throwable failure, Class<T> kind) {
    for (Throwable e = failure; e != null; e = e.getCause()) {
      if (kind.isInstance(e)) {
        return kind.cast(e);
      }
    }
    return null;
  }
}
