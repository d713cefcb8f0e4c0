package dev.varve.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.varve.testkit.PageserverProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The packaged pageserver as a program of its own, and a client of its HTTP port. */
final class ServerProcess implements AutoCloseable {
  private static final Path ROOT = Path.of("../..").toAbsolutePath().normalize();
  private static final Pattern GRPC = Pattern.compile("gRPC on port (\\d+)");
  private static final Pattern HTTP = Pattern.compile("Listening on: http://[^:]+:(\\d+)");
  private static final long TIMEOUT_SECONDS = 60;

  private final Process process;
  private final Path log;
  private final HttpClient http = HttpClient.newHttpClient();
  private final ObjectMapper json = new ObjectMapper();
  private int grpcPort;
  private int httpPort;

  private ServerProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  /** Starts one with its files below {@code directory} and waits until it listens. */
  static ServerProcess start(Path directory, Map<String, String> settings)
      throws IOException, InterruptedException {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("varve.store", "directory:" + directory.resolve("objects"));
    all.put("varve.data-directory", directory.resolve("local").toString());
    all.put("varve.grpc.port", "0");
    all.put("quarkus.http.port", "0");
    all.putAll(settings);
    Path log = Files.createTempFile(directory, "server", ".log");
    Process process =
        new ProcessBuilder(PageserverProcess.command(ROOT, "512m", all))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
    ServerProcess server = new ServerProcess(process, log);
    server.grpcPort = server.awaitPort(GRPC);
    server.httpPort = server.awaitPort(HTTP);
    return server;
  }

  private int awaitPort(Pattern line) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      Matcher found = line.matcher(log());
      if (found.find()) {
        return Integer.parseInt(found.group(1));
      }
      if (!process.isAlive() || System.nanoTime() > deadline) {
        throw new IOException("the pageserver did not start:\n" + log());
      }
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  int grpcPort() {
    return grpcPort;
  }

  /** What it wrote so far. */
  String log() throws IOException {
    return Files.readString(log);
  }

  /** The lines of its log at WARN and ERROR. */
  List<String> warnings() throws IOException {
    return log().lines().filter(line -> line.matches("\\S+ \\S+ (WARN|ERROR) .*")).toList();
  }

  HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(uri(path)).GET());
  }

  HttpResponse<String> put(String path, String body) throws IOException, InterruptedException {
    return send(
        HttpRequest.newBuilder(uri(path))
            .header("Content-Type", "application/json")
            .PUT(HttpRequest.BodyPublishers.ofString(body)));
  }

  HttpResponse<String> delete(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(uri(path)).DELETE());
  }

  /** Any request; without a content type when that is empty. */
  HttpResponse<String> request(String method, String path, String contentType, String body)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri(path)).method(method, HttpRequest.BodyPublishers.ofString(body));
    return send(contentType.isEmpty() ? request : request.header("Content-Type", contentType));
  }

  private URI uri(String path) {
    return URI.create("http://127.0.0.1:" + httpPort + path);
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** Waits until the JSON at {@code path} is as wanted. */
  JsonNode await(String path, Predicate<JsonNode> wanted) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      String body = get(path).body();
      JsonNode answer = json.readTree(body);
      if (wanted.test(answer)) {
        return answer;
      }
      if (System.nanoTime() > deadline) {
        throw new AssertionError(path + " did not get there:\n" + body + "\n" + log());
      }
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  /** Kills it, as if the machine had died. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** Tells it to end (SIGTERM) and does not wait. */
  void terminate() {
    process.destroy();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Waits until {@code text} is in its log. */
  void awaitLog(String text) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (!log().contains(text)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no line with '" + text + "':\n" + log());
      }
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  /** Ends it as an operator would; returns its exit code. */
  int stop() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
    }
    return process.waitFor();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    http.close();
  }
}
