package dev.varve.compute.volume;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * The three things that the agent asks of Kubernetes: a timeline's tenant, an event, the deletion
 * of a pod. Speaks HTTP itself, since a client library would cost more memory than all the rest of
 * the agent.
 */
final class KubernetesApi {
  private static final Path ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");
  private static final Duration LIMIT = Duration.ofSeconds(15);
  private static final int OK = 200;
  private static final int NOT_FOUND = 404;
  private static final int CONFLICT = 409;

  private final URI server;
  private final @Nullable Path token;
  private final HttpClient http;
  private final String node;

  /**
   * @param token file that holds the token, read for every request since it is renewed; null for
   *     none
   * @param node for the source of events
   */
  KubernetesApi(URI server, @Nullable Path token, HttpClient http, String node) {
    this.server = server;
    this.token = token;
    this.http = http;
    this.node = node;
  }

  /**
   * The API server that a pod is told of by its environment and its service account.
   *
   * @throws IOException saying that this is no pod
   */
  static KubernetesApi inCluster(Map<String, String> environment, String node) throws IOException {
    String host = environment.get("KUBERNETES_SERVICE_HOST");
    String port = environment.get("KUBERNETES_SERVICE_PORT");
    if (host == null || port == null) {
      throw new IOException(
          "KUBERNETES_SERVICE_HOST is not set: run as a pod, or name the API server with --kubernetes");
    }
    String authority = host.indexOf(':') >= 0 ? "[" + host + "]" : host;
    try {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      int number = 0;
      try (InputStream file = Files.newInputStream(ACCOUNT.resolve("ca.crt"))) {
        for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
          trusted.setCertificateEntry("ca" + number++, one);
        }
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext tls = SSLContext.getInstance("TLS");
      tls.init(null, trust.getTrustManagers(), null);
      return new KubernetesApi(
          URI.create("https://" + authority + ":" + port),
          ACCOUNT.resolve("token"),
          HttpClient.newBuilder().sslContext(tls).connectTimeout(LIMIT).build(),
          node);
    } catch (GeneralSecurityException e) {
      throw new IOException("the service account's certificates cannot be used", e);
    }
  }

  /** An API server that asks for no token, such as {@code kubectl proxy}. */
  static KubernetesApi at(URI server, String node) {
    return new KubernetesApi(
        server, null, HttpClient.newBuilder().connectTimeout(LIMIT).build(), node);
  }

  /** The tenant that a Timeline resource belongs to. */
  String tenantOf(String namespace, String timeline) throws IOException {
    HttpResponse<String> answer =
        send(
            "GET",
            "/apis/varve.dev/v1alpha1/namespaces/" + namespace + "/timelines/" + timeline,
            null);
    if (answer.statusCode() == NOT_FOUND) {
      throw new VolumeException(
          Status.Code.NOT_FOUND,
          "there is no Timeline '"
              + timeline
              + "' in namespace '"
              + namespace
              + "': 'kubectl -n "
              + namespace
              + " get vtl' lists those there are");
    }
    expect(OK, answer, "reading Timeline " + namespace + "/" + timeline);
    try {
      JsonElement spec = JsonParser.parseString(answer.body()).getAsJsonObject().get("spec");
      return spec.getAsJsonObject().get("tenant").getAsString();
    } catch (JsonParseException | IllegalStateException | NullPointerException e) {
      throw new VolumeException(
          Status.Code.FAILED_PRECONDITION,
          "Timeline '" + timeline + "' in namespace '" + namespace + "' names no tenant",
          e);
    }
  }

  /**
   * An event that is shown with the pod.
   *
   * @param type Normal or Warning
   */
  void event(PodReference pod, String type, String reason, String message) throws IOException {
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    JsonObject metadata = new JsonObject();
    metadata.addProperty("generateName", pod.name() + ".");
    metadata.addProperty("namespace", pod.namespace());
    JsonObject object = new JsonObject();
    object.addProperty("apiVersion", "v1");
    object.addProperty("kind", "Pod");
    object.addProperty("namespace", pod.namespace());
    object.addProperty("name", pod.name());
    object.addProperty("uid", pod.uid());
    JsonObject source = new JsonObject();
    source.addProperty("component", "varve-agent");
    source.addProperty("host", node);
    JsonObject event = new JsonObject();
    event.addProperty("apiVersion", "v1");
    event.addProperty("kind", "Event");
    event.add("metadata", metadata);
    event.add("involvedObject", object);
    event.add("source", source);
    event.addProperty("type", type);
    event.addProperty("reason", reason);
    event.addProperty("message", message);
    event.addProperty("firstTimestamp", now);
    event.addProperty("lastTimestamp", now);
    event.addProperty("count", 1);
    HttpResponse<String> answer =
        send("POST", "/api/v1/namespaces/" + pod.namespace() + "/events", event);
    expect(OK, answer, "writing an event of " + pod);
  }

  /** Deletes this very pod; that it, or a namesake of another uid, is there no more is success. */
  void delete(PodReference pod) throws IOException {
    JsonObject preconditions = new JsonObject();
    preconditions.addProperty("uid", pod.uid());
    JsonObject options = new JsonObject();
    options.addProperty("apiVersion", "v1");
    options.addProperty("kind", "DeleteOptions");
    options.add("preconditions", preconditions);
    HttpResponse<String> answer =
        send("DELETE", "/api/v1/namespaces/" + pod.namespace() + "/pods/" + pod.name(), options);
    if (answer.statusCode() != NOT_FOUND && answer.statusCode() != CONFLICT) {
      expect(OK, answer, "deleting " + pod);
    }
  }

  private static void expect(int kind, HttpResponse<String> answer, String what)
      throws VolumeException {
    int status = answer.statusCode();
    if (status / 100 != kind / 100) {
      String said = answer.body();
      throw new VolumeException(
          status == 403 ? Status.Code.PERMISSION_DENIED : Status.Code.UNAVAILABLE,
          what
              + " failed with status "
              + status
              + (status == 403 ? ": give the agent's service account its ClusterRole; " : ": ")
              + said.substring(0, Math.min(said.length(), 300)));
    }
  }

  private HttpResponse<String> send(String method, String path, @Nullable JsonObject body)
      throws IOException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(server.resolve(path))
            .timeout(LIMIT)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .method(
                method,
                body == null
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(body.toString()));
    if (token != null) {
      request.header("Authorization", "Bearer " + Files.readString(token).strip());
    }
    try {
      return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new VolumeException(
          Status.Code.UNAVAILABLE, "the Kubernetes API does not answer: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VolumeException(Status.Code.UNAVAILABLE, "interrupted", e);
    }
  }
}
