package dev.varve.testkit;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * An S3 server that misbehaves: an HTTP/1.1 server of its own before another one, to which it hands
 * each request as it came. What it does instead with some of them is a {@link Fault}. Those there
 * are: an answer that is an error; one that is lost after the request was done; a line that hangs
 * after so many bytes, or is slow; a header that the server does not know; a listing that is stale;
 * whatever else a test writes. Bodies are held in memory.
 */
public final class FaultyS3Server implements AutoCloseable {
  /** Small, so that a client sees a line that does not move after few bytes. */
  private static final int RECEIVE_BUFFER_BYTES = 64 << 10;

  private static final int CHUNK_BYTES = 16 << 10;

  private final URI target;
  private final ServerSocket listener;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final List<Rule> rules = new CopyOnWriteArrayList<>();
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private final CountDownLatch closed = new CountDownLatch(1);

  private record Rule(Predicate<Request> when, Fault fault) {}

  /**
   * A request's head.
   *
   * @param path decoded: slash, bucket, slash, key
   * @param headers by lower-case name
   */
  public record Request(
      String method, String target, String path, String query, Map<String, String> headers) {
    public boolean is(String wantedMethod, String keyPart) {
      return method.equals(wantedMethod) && path.contains(keyPart);
    }

    /** A listing of objects. */
    public boolean isList() {
      return method.equals("GET") && query.contains("list-type=2");
    }

    /** A part of an upload. */
    public boolean isPart() {
      return method.equals("PUT") && query.contains("partNumber=");
    }
  }

  /** What is done with a request instead of handing it on. */
  public interface Fault {
    void handle(Exchange exchange) throws IOException, InterruptedException;
  }

  /**
   * An answer.
   *
   * @param head status line and headers, without those about length and connection
   */
  public record Answer(List<String> head, byte[] body) {
    /** An error of S3's. */
    public static Answer error(int status, String code) {
      String body =
          code.isEmpty()
              ? ""
              : "<?xml version=\"1.0\"?><Error><Code>"
                  + code
                  + "</Code><Message>as the test wants</Message></Error>";
      return new Answer(
          List.of("HTTP/1.1 " + status + " Faulty", "Content-Type: application/xml"),
          body.getBytes(StandardCharsets.UTF_8));
    }
  }

  private FaultyS3Server(URI target, ServerSocket listener) {
    this.target = target;
    this.listener = listener;
  }

  /** Starts one before the server at {@code target}, which behaves until it is told otherwise. */
  public static FaultyS3Server start(URI target) throws IOException {
    ServerSocket listener = new ServerSocket();
    listener.setReceiveBufferSize(RECEIVE_BUFFER_BYTES);
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100);
    FaultyS3Server server = new FaultyS3Server(target, listener);
    Thread.ofVirtual().name("faulty-s3").start(server::accept);
    return server;
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + listener.getLocalPort());
  }

  /** From now on {@code fault} befalls the requests that no earlier rule is for. */
  public void add(Predicate<Request> when, Fault fault) {
    rules.add(new Rule(when, fault));
  }

  /** Behaves again; what hangs hangs on. */
  public void behave() {
    rules.clear();
  }

  /** The heads of all requests until now. */
  public List<Request> requests() {
    return List.copyOf(requests);
  }

  public long count(Predicate<Request> which) {
    return requests.stream().filter(which).count();
  }

  // Faults

  /** An error; nothing is done. */
  public static Fault answering(int status, String code) {
    return exchange -> {
      exchange.body();
      exchange.answer(Answer.error(status, code));
    };
  }

  /** Done, and the connection breaks before the answer. */
  public static Fault losingAnswers() {
    return exchange -> {
      exchange.forward(Set.of());
      exchange.drop();
    };
  }

  /** The line does not move any more after so many bytes of the request's body. */
  public static Fault hangingAfter(int bytes) {
    return exchange -> {
      exchange.read(bytes);
      exchange.hang();
    };
  }

  /** The answer stops after so many bytes of its body, and the line stays open. */
  public static Fault answerHangingAfter(int bytes) {
    return exchange -> {
      exchange.begin(exchange.forward(Set.of()), bytes);
      exchange.hang();
    };
  }

  /** The body of the request, and of the answer, comes over at this speed. */
  public static Fault slow(int bytesPerSecond) {
    return exchange -> {
      exchange.pace(bytesPerSecond);
      exchange.answer(exchange.forward(Set.of()));
    };
  }

  /** The server does not know a header; the one behind has to check no signatures. */
  public static Fault ignoring(String header) {
    return exchange -> exchange.answer(exchange.forward(Set.of(header.toLowerCase(Locale.ROOT))));
  }

  /** Each listing is the answer that it got the first time. */
  public static Fault staleListing() {
    Map<String, Answer> first = new ConcurrentHashMap<>();
    return exchange -> {
      Answer now = exchange.forward(Set.of());
      Answer before = first.putIfAbsent(exchange.request().target(), now);
      exchange.answer(before == null ? now : before);
    };
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket socket = listener.accept();
        open.add(socket);
        Thread.ofVirtual().name("faulty-s3").start(() -> serve(socket));
      } catch (IOException e) {
        // Closed, or a connection that went away before it was taken.
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      boolean goesOn = true;
      while (goesOn) {
        Exchange exchange = Exchange.receive(this, socket);
        if (exchange == null) {
          break;
        }
        requests.add(exchange.request());
        Fault fault =
            rules.stream()
                .filter(rule -> rule.when.test(exchange.request()))
                .map(Rule::fault)
                .findFirst()
                .orElse(passed -> passed.answer(passed.forward(Set.of())));
        fault.handle(exchange);
        goesOn = exchange.canGoOn();
      }
    } catch (IOException e) {
      // The end of this connection; whoever used it is told by it.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(socket);
    }
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      listener.close();
      for (Socket socket : open) {
        socket.close();
      }
    } catch (IOException e) {
      // Nothing is lost with it.
    }
  }

  /** A request and the connection that it came over; one thread. */
  public static final class Exchange {
    private final FaultyS3Server server;
    private final Socket socket;
    private final InputStream in;
    private final OutputStream out;
    private final Request request;
    private final List<String> lines;
    private final long length;
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private boolean continued;
    private boolean answered;
    private int bytesPerSecond;

    private Exchange(
        FaultyS3Server server, Socket socket, Request request, List<String> lines, long length)
        throws IOException {
      this.server = server;
      this.socket = socket;
      this.in = socket.getInputStream();
      this.out = socket.getOutputStream();
      this.request = request;
      this.lines = lines;
      this.length = length;
    }

    /** Null: the client closed the connection. */
    private static @Nullable Exchange receive(FaultyS3Server server, Socket socket)
        throws IOException {
      List<String> lines = head(socket.getInputStream());
      if (lines.isEmpty()) {
        return null;
      }
      Map<String, String> headers = new TreeMap<>();
      for (String line : lines.subList(1, lines.size())) {
        int colon = line.indexOf(':');
        headers.put(
            line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
      }
      if (headers.containsKey("transfer-encoding")) {
        throw new IOException("chunked requests are not known here");
      }
      String[] words = lines.getFirst().split(" ", 3);
      int question = words[1].indexOf('?');
      String path = question < 0 ? words[1] : words[1].substring(0, question);
      Request request =
          new Request(
              words[0],
              words[1],
              URLDecoder.decode(path, StandardCharsets.UTF_8),
              question < 0 ? "" : words[1].substring(question + 1),
              headers);
      return new Exchange(
          server,
          socket,
          request,
          lines,
          Long.parseLong(headers.getOrDefault("content-length", "0")));
    }

    /** Lines up to the first empty one; none at the end of the stream. */
    private static List<String> head(InputStream in) throws IOException {
      List<String> lines = new ArrayList<>();
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      while (true) {
        int next = in.read();
        if (next < 0) {
          return List.of();
        }
        if (next == '\n') {
          String text = line.toString(StandardCharsets.ISO_8859_1).strip();
          if (text.isEmpty()) {
            return lines;
          }
          lines.add(text);
          line.reset();
        } else {
          line.write(next);
        }
      }
    }

    public Request request() {
      return request;
    }

    /** The whole body, read now unless it was. */
    public byte[] body() throws IOException, InterruptedException {
      read(Long.MAX_VALUE);
      return received.toByteArray();
    }

    /** Reads on until so many bytes of the body, or all, are there. */
    public void read(long bytes) throws IOException, InterruptedException {
      if (length > 0 && !continued && request.headers().containsKey("expect")) {
        continued = true;
        out.write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
      }
      byte[] chunk = new byte[CHUNK_BYTES];
      while (received.size() < Math.min(length, bytes)) {
        int wanted = (int) Math.min(chunk.length, Math.min(length, bytes) - received.size());
        int count = in.read(chunk, 0, wanted);
        if (count < 0) {
          throw new EOFException("the client went away");
        }
        received.write(chunk, 0, count);
        pause(count);
      }
    }

    public void pace(int wantedBytesPerSecond) {
      bytesPerSecond = wantedBytesPerSecond;
    }

    private void pause(int bytes) throws InterruptedException {
      if (bytesPerSecond > 0
          && server.closed.await(bytes * 1_000_000L / bytesPerSecond, TimeUnit.MICROSECONDS)) {
        throw new InterruptedException("closed");
      }
    }

    /** Has the server behind do it. */
    public Answer forward(Set<String> withoutHeaders) throws IOException, InterruptedException {
      byte[] body = body();
      try (Socket behind = new Socket(server.target.getHost(), server.target.getPort())) {
        StringBuilder head = new StringBuilder();
        for (String line : lines) {
          int colon = line.indexOf(':');
          String name = colon < 0 ? "" : line.substring(0, colon).toLowerCase(Locale.ROOT);
          if (!name.equals("expect")
              && !name.equals("connection")
              && !withoutHeaders.contains(name)) {
            head.append(line).append("\r\n");
          }
        }
        head.append("Connection: close\r\n\r\n");
        OutputStream to = behind.getOutputStream();
        to.write(head.toString().getBytes(StandardCharsets.ISO_8859_1));
        to.write(body);
        to.flush();
        return receiveAnswer(behind.getInputStream());
      }
    }

    private Answer receiveAnswer(InputStream from) throws IOException {
      List<String> answer = head(from);
      while (!answer.isEmpty() && answer.getFirst().split(" ", 3)[1].startsWith("1")) {
        answer = head(from);
      }
      if (answer.isEmpty()) {
        throw new EOFException("the server behind did not answer");
      }
      byte[] bytes = from.readAllBytes();
      boolean chunked =
          answer.stream().anyMatch(h -> h.toLowerCase(Locale.ROOT).contains("chunked"));
      List<String> kept =
          answer.stream()
              .filter(line -> {
                String lower = line.toLowerCase(Locale.ROOT);
                return !lower.startsWith("transfer-encoding:")
                    && !lower.startsWith("connection:")
                    && (!lower.startsWith("content-length:") || request.method().equals("HEAD"));
              })
              .toList();
      return new Answer(kept, chunked ? dechunked(bytes) : bytes);
    }

    private static byte[] dechunked(byte[] bytes) throws IOException {
      ByteArrayOutputStream plain = new ByteArrayOutputStream();
      int at = 0;
      while (true) {
        int end = at;
        while (bytes[end] != '\r') {
          end++;
        }
        int size = Integer.parseInt(new String(bytes, at, end - at, StandardCharsets.US_ASCII), 16);
        if (size == 0) {
          return plain.toByteArray();
        }
        plain.write(bytes, end + 2, size);
        at = end + 2 + size + 2;
      }
    }

    public void answer(Answer answer) throws IOException, InterruptedException {
      begin(answer, answer.body().length);
      answered = true;
    }

    /** The head of an answer and so many bytes of its body. */
    public void begin(Answer answer, int bytes) throws IOException, InterruptedException {
      StringBuilder head = new StringBuilder();
      answer.head().forEach(line -> head.append(line).append("\r\n"));
      if (!request.method().equals("HEAD") && !answer.head().getFirst().contains(" 204")) {
        head.append("Content-Length: ").append(answer.body().length).append("\r\n");
      }
      out.write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
      for (int at = 0; at < bytes && at < answer.body().length; at += CHUNK_BYTES) {
        int count = Math.min(CHUNK_BYTES, Math.min(bytes, answer.body().length) - at);
        out.write(answer.body(), at, count);
        out.flush();
        pause(count);
      }
      out.flush();
    }

    /** Breaks the connection. */
    public void drop() throws IOException {
      socket.setSoLinger(true, 0);
      socket.close();
    }

    /** Nothing happens any more until the server is closed. */
    public void hang() throws InterruptedException {
      server.closed.await();
    }

    private boolean canGoOn() {
      return answered && received.size() == length && !socket.isClosed();
    }
  }
}
