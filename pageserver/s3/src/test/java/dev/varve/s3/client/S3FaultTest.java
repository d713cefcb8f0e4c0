package dev.varve.s3.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.RetryingObjectStore;
import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreFailure;
import dev.varve.engine.store.StoreOutages;
import dev.varve.engine.store.StoreRefusedException;
import dev.varve.engine.store.StoreThrottledException;
import dev.varve.testkit.ExpectedLog;
import dev.varve.testkit.FaultyS3Server;
import dev.varve.testkit.FaultyS3Server.Answer;
import dev.varve.testkit.FreePort;
import dev.varve.testkit.S3Server;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The S3 client on lines and servers that misbehave. */
final class S3FaultTest {
  private static final String BUCKET = "varve-test";
  private static final int PART_BYTES = 5 << 20;
  private static final Duration TIMEOUT = Duration.ofSeconds(3);

  /** Where nothing else can come of it. */
  private static final Duration SHORT_TIMEOUT = Duration.ofMillis(300);

  @TempDir static Path serverDirectory;
  @TempDir Path directory;
  private static S3Server behind;
  private FaultyS3Server server;
  private S3ObjectStore store;
  private RetryingObjectStore retrying;

  @BeforeAll
  static void startServer() throws Exception {
    behind = S3Server.startUnchecked(serverDirectory, BUCKET);
  }

  @AfterAll
  static void stopServer() throws Exception {
    behind.close();
  }

  @BeforeEach
  void open() throws IOException {
    server = FaultyS3Server.start(behind.endpoint());
    store = store(TIMEOUT);
    retrying = new RetryingObjectStore(store, 4, Duration.ofMillis(10));
  }

  private S3ObjectStore store(Duration timeout) {
    return store(timeout, server.endpoint(), true);
  }

  private static S3ObjectStore store(Duration timeout, URI endpoint, boolean pathStyle) {
    return new S3ObjectStore(
        new S3Settings(
            BUCKET,
            "",
            endpoint,
            S3Server.REGION,
            pathStyle,
            S3Server.ACCESS_KEY,
            S3Server.SECRET_KEY,
            timeout,
            PART_BYTES,
            16));
  }

  @AfterEach
  void close() {
    store.close();
    server.close();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new SplittableRandom(length).nextBytes(bytes);
    return bytes;
  }

  private static String message(Exception e) {
    return String.valueOf(e.getMessage());
  }

  // Lines

  /** At this speed either takes twice as long as a request may be silent. */
  @Test
  void aRequestThatMovesMayTakeItsTime() throws Exception {
    byte[] bytes = random(9 << 20);
    store.put("slow-to-get", bytes);
    server.add(request -> request.path().contains("slow"), FaultyS3Server.slow(3 << 19));
    AtomicReference<byte[]> got = new AtomicReference<>();
    Thread reader =
        Thread.ofVirtual()
            .start(() -> {
              try {
                got.set(store.get("slow-to-get"));
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
    store.put("slow-to-put", bytes);
    reader.join();
    assertArrayEquals(bytes, got.get());
    server.behave();
    assertArrayEquals(bytes, store.get("slow-to-put"));
    assertEquals(1, server.count(r -> r.is("PUT", "slow-to-put")));
  }

  private void assertEndsForNoByteMoves(Calls calls) {
    try (S3ObjectStore impatient = store(SHORT_TIMEOUT)) {
      IOException e = assertThrows(IOException.class, () -> calls.run(impatient));
      assertTrue(message(e).contains(": no byte moved for "), message(e));
    }
  }

  private interface Calls {
    void run(S3ObjectStore store) throws IOException;
  }

  @Test
  void anUploadThatDoesNotMoveEnds() {
    server.add(r -> r.is("PUT", "hangs"), FaultyS3Server.hangingAfter(100_000));
    assertEndsForNoByteMoves(impatient -> impatient.put("hangs", random(3 << 20)));
  }

  @Test
  void anAnswerThatDoesNotComeEnds() {
    server.add(r -> r.is("PUT", "silent"), FaultyS3Server.hangingAfter(10));
    assertEndsForNoByteMoves(impatient -> impatient.put("silent", random(10)));
  }

  @Test
  void anAnswerThatStopsEnds() throws IOException {
    store.put("stops", random(300_000));
    server.add(r -> r.is("GET", "stops"), FaultyS3Server.answerHangingAfter(100_000));
    assertEndsForNoByteMoves(impatient -> impatient.get("stops"));
    assertEndsForNoByteMoves(impatient -> impatient.getRange("stops", 0, 200_000));
  }

  @Test
  void aReadEndsWithItsCallersDeadline() {
    try (S3ObjectStore patient = store(Duration.ofMinutes(10))) {
      RetryingObjectStore calls = new RetryingObjectStore(patient, 100, Duration.ofMillis(10));
      server.add(r -> r.is("GET", "never"), FaultyS3Server.hangingAfter(0));
      StoreDeadline deadline = StoreDeadline.after(Duration.ofMillis(300));
      IOException e =
          deadline.call(() -> assertThrows(IOException.class, () -> calls.get("never")));
      assertTrue(message(e).contains("the caller waits no longer"), message(e));
      // And when each attempt ends by itself: no more of them than the deadline has room for.
      server.add(r -> r.is("GET", "fails"), FaultyS3Server.answering(500, "InternalError"));
      StoreDeadline second = StoreDeadline.after(Duration.ofMillis(300));
      second.call(() -> assertThrows(IOException.class, () -> calls.get("fails")));
      assertTrue(server.count(r -> r.is("GET", "fails")) < 100);
    }
  }

  @Test
  void anInterruptEndsARequestAndItsRetries() throws InterruptedException {
    try (S3ObjectStore patient = store(Duration.ofMinutes(10))) {
      RetryingObjectStore calls = new RetryingObjectStore(patient, 100, Duration.ofMillis(10));
      server.add(r -> r.is("PUT", "never"), FaultyS3Server.hangingAfter(0));
      AtomicReference<Throwable> ended = new AtomicReference<>();
      Thread caller =
          Thread.ofPlatform()
              .start(() ->
                  ended.set(
                      assertThrows(IOException.class, () -> calls.put("never", random(1 << 20)))));
      while (server.count(r -> r.is("PUT", "never")) == 0) {
        Thread.onSpinWait();
      }
      caller.interrupt();
      caller.join();
      assertInstanceOf(IOException.class, ended.get());
      assertEquals(1, server.count(r -> r.is("PUT", "never")));
    }
  }

  // Large files

  private Path file(int length) throws IOException {
    return Files.write(directory.resolve("layer"), random(length));
  }

  @Test
  void aLargeFileGoesUpInParts() throws IOException {
    Path file = file(3 * PART_BYTES + 17);
    store.putFile("in-parts", file);
    assertEquals(4, server.count(FaultyS3Server.Request::isPart));
    assertArrayEquals(Files.readAllBytes(file), store.get("in-parts"));
  }

  /** Each connection breaks once, and all of it for longer than one call tries. */
  @Test
  void partsThatArrivedAreNotSentAgain() throws IOException {
    Path file = file(3 * PART_BYTES + 17);
    AtomicInteger left = new AtomicInteger(2);
    server.add(
        r -> r.isPart() && !r.query().contains("partNumber=1&") && left.get() != 0,
        exchange -> {
          exchange.read(1 << 20);
          exchange.drop();
        });
    assertThrows(IOException.class, () -> store.putFile("broken", file));
    left.set(0);
    long before = server.count(FaultyS3Server.Request::isPart);
    store.putFile("broken", file);
    assertArrayEquals(Files.readAllBytes(file), store.get("broken"));
    assertTrue(
        server.requests().stream()
            .skip(before)
            .noneMatch(r -> r.isPart() && r.query().contains("partNumber=1&")),
        "part 1 had arrived");
  }

  @Test
  void anUploadWhoseEndWasLostIsStored() throws IOException {
    Path file = file(3 * PART_BYTES);
    AtomicInteger left = new AtomicInteger(1);
    server.add(
        r ->
            r.is("POST", "lost-end")
                && r.query().contains("uploadId")
                && left.getAndDecrement() > 0,
        FaultyS3Server.losingAnswers());
    retrying.putFile("lost-end", file);
    assertArrayEquals(Files.readAllBytes(file), store.get("lost-end"));
  }

  @Test
  void anUploadThatTheServerRemovedBeginsAnew() throws IOException {
    Path file = file(3 * PART_BYTES);
    AtomicInteger left = new AtomicInteger(1);
    server.add(
        r -> r.isPart() && left.getAndDecrement() > 0,
        FaultyS3Server.answering(404, "NoSuchUpload"));
    retrying.putFile("removed", file);
    assertArrayEquals(Files.readAllBytes(file), store.get("removed"));
    assertEquals(2, server.count(r -> r.is("POST", "removed") && r.query().contains("uploads")));
  }

  @Test
  void whatIsNotFinishedIsAborted() throws IOException {
    Path file = file(3 * PART_BYTES);
    server.add(FaultyS3Server.Request::isPart, FaultyS3Server.answering(500, "InternalError"));
    assertThrows(IOException.class, () -> store.putFile("unfinished", file));
    store.close();
    assertEquals(
        1, server.count(r -> r.is("DELETE", "unfinished") && r.query().contains("uploadId=")));
    store = store(TIMEOUT);
    assertThrows(ObjectNotFoundException.class, () -> store.get("unfinished"));
  }

  // Answers

  @Test
  void anErrorIsWhatACallerCanDoAboutIt() {
    Map<Answer, Class<? extends IOException>> errors =
        Map.ofEntries(
            Map.entry(Answer.error(403, "AccessDenied"), StoreRefusedException.class),
            Map.entry(Answer.error(403, "SignatureDoesNotMatch"), StoreRefusedException.class),
            Map.entry(Answer.error(403, "RequestTimeTooSkewed"), StoreRefusedException.class),
            Map.entry(Answer.error(301, "PermanentRedirect"), StoreRefusedException.class),
            Map.entry(Answer.error(404, "NoSuchBucket"), StoreRefusedException.class),
            Map.entry(Answer.error(405, "MethodNotAllowed"), StoreRefusedException.class),
            Map.entry(Answer.error(501, "NotImplemented"), StoreRefusedException.class),
            Map.entry(Answer.error(503, "SlowDown"), StoreThrottledException.class),
            Map.entry(Answer.error(429, ""), StoreThrottledException.class),
            Map.entry(Answer.error(400, "RequestTimeout"), IOException.class),
            Map.entry(Answer.error(409, "OperationAborted"), IOException.class),
            Map.entry(Answer.error(500, "InternalError"), IOException.class),
            Map.entry(Answer.error(503, ""), IOException.class),
            Map.entry(Answer.error(404, "NoSuchKey"), ObjectNotFoundException.class));
    errors.forEach((answer, kind) -> {
      server.behave();
      server.add(
          r -> true,
          exchange -> {
            exchange.body();
            exchange.answer(answer);
          });
      IOException e = assertThrows(IOException.class, () -> store.get("any"));
      assertEquals(kind, e.getClass(), () -> answer.head() + " is " + e);
    });
  }

  @Test
  void whatIsRefusedIsAskedOnceAndSaysWhatToDo() {
    server.add(r -> true, FaultyS3Server.answering(403, "RequestTimeTooSkewed"));
    ExpectedLog.containing("the object store refuses since");
    IOException e = assertThrows(IOException.class, () -> retrying.put("some/name", random(10)));
    assertTrue(message(e).contains("clock"), message(e));
    assertEquals(1, server.requests().size());
    StoreFailure failure = Objects.requireNonNull(retrying.failure("some/"));
    assertTrue(failure.text().contains("refuses"), failure.text());
    assertNull(retrying.failure("other/"));
    assertEquals(1, retrying.outages().failedAttempts(StoreOutages.Kind.REFUSED));
    server.behave();
    assertNotNull(retrying.failure("some/"));
    assertNull(failureAfterPut());
  }

  /** Each with the setting to look at, and what to write there. */
  @Test
  void anAnswerNamesSettingAndRemedy() {
    Map<Answer, String> remedies =
        Map.ofEntries(
            Map.entry(Answer.error(403, "RequestTimeTooSkewed"), "set the clock of this machine"),
            Map.entry(Answer.error(400, "AuthorizationHeaderMalformed"), "varve.s3.region is"),
            Map.entry(Answer.error(301, "PermanentRedirect"), "varve.s3.region is"),
            Map.entry(Answer.error(404, "NoSuchBucket"), "make the bucket " + BUCKET),
            Map.entry(
                Answer.error(403, "SecondLevelDomainForbidden"), "set varve.s3.path-style=false"),
            Map.entry(Answer.error(403, "SignatureDoesNotMatch"), "check varve.s3.secret-key"),
            Map.entry(Answer.error(403, "InvalidAccessKeyId"), "check varve.s3.access-key"),
            Map.entry(Answer.error(400, "ExpiredToken"), "renew varve.s3.access-key and"),
            Map.entry(Answer.error(403, "AccessDenied"), "ListBucket"),
            Map.entry(Answer.error(403, ""), "check varve.s3.access-key and varve.s3.secret-key"),
            Map.entry(Answer.error(405, ""), "varve.s3.endpoint: is it an S3 server?"),
            // As servers answer plain HTTP on the port of their TLS.
            Map.entry(Answer.error(400, ""), "write https instead of http in varve.s3.endpoint"));
    remedies.forEach((answer, remedy) -> {
      server.behave();
      server.add(r -> true, exchange -> exchange.answer(answer));
      IOException e = assertThrows(IOException.class, () -> store.list("any"));
      assertTrue(message(e).contains(remedy), () -> answer.head() + " is " + message(e));
    });
  }

  @Test
  void anAddressThatIsWrongNamesSettingAndRemedy() throws Exception {
    URI tls = URI.create(behind.endpoint().toString().replace("http:", "https:"));
    assertSays(
        tls, true, StoreRefusedException.class, "write http instead of https in varve.s3.endpoint");
    URI unknown = URI.create("http://no-such-host.invalid:9000");
    assertSays(unknown, true, IOException.class, "check the host in varve.s3.endpoint");
    assertSays(unknown, false, IOException.class, "set varve.s3.path-style=true");
    URI nobody = URI.create("http://127.0.0.1:" + FreePort.any());
    assertSays(nobody, true, IOException.class, "host and port in varve.s3.endpoint");
    // What a server of TLS answers to plain HTTP when it does not know it: an alert.
    try (ServerSocket listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual()
          .start(() -> {
            try (Socket socket = listener.accept()) {
              socket.getInputStream().read(new byte[4096]);
              socket.getOutputStream().write(new byte[] {0x15, 3, 1, 0, 2, 2, 0x46});
            } catch (IOException e) {
              // The client hung up.
            }
          });
      assertSays(
          URI.create("http://127.0.0.1:" + listener.getLocalPort()),
          true,
          IOException.class,
          "write https instead of http in varve.s3.endpoint");
    }
  }

  private static void assertSays(
      URI endpoint, boolean pathStyle, Class<? extends IOException> kind, String remedy) {
    try (S3ObjectStore there = store(TIMEOUT, endpoint, pathStyle)) {
      IOException e = assertThrows(IOException.class, () -> there.get("any"));
      assertTrue(message(e).contains(remedy), () -> message(e));
      assertEquals(kind, e.getClass(), () -> message(e));
    }
  }

  private @Nullable StoreFailure failureAfterPut() {
    try {
      retrying.put("some/name", random(10));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return retrying.failure("some/");
  }

  @Test
  void aServerThatIgnoresRangesIsFoundOut() throws IOException {
    store.put("whole", random(200_000));
    server.add(r -> r.is("GET", "whole"), FaultyS3Server.ignoring("range"));
    IOException e = assertThrows(IOException.class, () -> store.getRange("whole", 10, 20));
    assertInstanceOf(StoreRefusedException.class, e);
    assertTrue(message(e).contains("ignores the range"), message(e));
    e = assertThrows(IOException.class, () -> store.getRange("whole", 0, 300_000));
    assertFalse(e instanceof ObjectNotFoundException);
    server.behave();
    e = assertThrows(IOException.class, () -> store.getRange("whole", 150_000, 100_000));
    assertInstanceOf(EOFException.class, e);
  }

  @Test
  void aListingThatDoesNotEndIsFoundOut() throws IOException {
    store.put("endless/a", random(1));
    server.add(
        FaultyS3Server.Request::isList,
        exchange -> {
          String page =
              new String(exchange.forward(Set.of()).body(), StandardCharsets.UTF_8)
                  .replace(
                      "<IsTruncated>false</IsTruncated>",
                      "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>");
          exchange.answer(
              new Answer(
                  List.of("HTTP/1.1 200 OK", "Content-Type: application/xml"),
                  page.getBytes(StandardCharsets.UTF_8)));
        });
    IOException e = assertThrows(IOException.class, () -> store.list("endless/"));
    assertTrue(message(e).contains("do not go on"), message(e));
  }

  @Test
  void lostAnswersAndThrottlingAreRiddenOut() throws IOException {
    AtomicInteger count = new AtomicInteger();
    server.add(
        r -> count.incrementAndGet() % 4 == 1,
        exchange -> {
          if (count.get() % 8 == 1) {
            FaultyS3Server.losingAnswers().handle(exchange);
          } else {
            FaultyS3Server.answering(503, "SlowDown").handle(exchange);
          }
        });
    byte[] bytes = random(100);
    retrying.create("ridden/out", bytes);
    assertThrows(ObjectExistsException.class, () -> retrying.create("ridden/out", random(99)));
    assertArrayEquals(bytes, retrying.get("ridden/out"));
    assertEquals("ridden/out", retrying.list("ridden/").getFirst().name());
    retrying.delete("ridden/out");
    assertEquals(List.of(), retrying.list("ridden/"));
  }
}
