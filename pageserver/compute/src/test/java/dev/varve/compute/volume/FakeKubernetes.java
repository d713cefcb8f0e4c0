package dev.varve.compute.volume;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;

/** An API server that knows Timelines, takes events and lets pods be deleted. */
final class FakeKubernetes implements AutoCloseable {
  private final HttpServer server;

  /** Tenants by {@code NAMESPACE/TIMELINE}. */
  final Map<String, String> tenants = new ConcurrentHashMap<>();

  /** Bodies of the events that came. */
  final BlockingQueue<String> events = new LinkedBlockingQueue<>();

  /** Path and body of the deletions that came. */
  final BlockingQueue<String> deletions = new LinkedBlockingQueue<>();

  /** The answer to deletions. */
  volatile int deletionStatus = 200;

  FakeKubernetes() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/apis/varve.dev/v1alpha1/namespaces/", this::timeline);
    server.createContext("/api/v1/namespaces/", this::core);
    server.start();
  }

  URI uri() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  private void timeline(HttpExchange exchange) throws IOException {
    String[] step = exchange.getRequestURI().getPath().split("/", -1);
    String tenant = tenants.get(step[5] + "/" + step[7]);
    if (tenant == null) {
      answer(exchange, 404, "{\"kind\":\"Status\"}");
    } else {
      answer(exchange, 200, "{\"kind\":\"Timeline\",\"spec\":{\"tenant\":\"" + tenant + "\"}}");
    }
  }

  private void core(HttpExchange exchange) throws IOException {
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    if (exchange.getRequestMethod().equals("POST")) {
      events.add(body);
      answer(exchange, 201, "{}");
    } else {
      int status = deletionStatus; // who sees the deletion may change it
      deletions.add(exchange.getRequestURI().getPath() + " " + body);
      answer(exchange, status, "{}");
    }
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
