package dev.varve.s3.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.varve.engine.store.ObjectEntry;
import dev.varve.engine.store.ObjectExistsException;
import dev.varve.engine.store.ObjectNotFoundException;
import dev.varve.engine.store.ObjectStore;
import dev.varve.engine.store.ObjectStoreContractTest;
import dev.varve.testkit.S3Server;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract over the S3 protocol. */
final class S3ObjectStoreContractTest extends ObjectStoreContractTest {
  private static final String BUCKET = "varve-test";
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  @TempDir Path serverDirectory;
  private S3Server server;

  @Override
  protected ObjectStore create() throws Exception {
    server = S3Server.start(serverDirectory, BUCKET);
    return store("s3://" + BUCKET + "/some/prefix");
  }

  private S3ObjectStore store(String url) {
    return new S3ObjectStore(
        S3Settings.of(
            url,
            server.endpoint(),
            S3Server.REGION,
            true,
            S3Server.ACCESS_KEY,
            S3Server.SECRET_KEY,
            TIMEOUT));
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
  }

  @Test
  void prefixesKeepStoresApart() throws IOException {
    try (S3ObjectStore whole = store("s3://" + BUCKET);
        S3ObjectStore part = store("s3://" + BUCKET + "/part/")) {
      part.put("name", "x".getBytes(StandardCharsets.UTF_8));
      assertEquals(List.of("name"), names(part.list("")));
      assertEquals(List.of("part/name"), names(whole.list("")));
    }
  }

  @Test
  void listsMoreThanOnePage() throws IOException {
    try (S3ObjectStore store = store("s3://" + BUCKET + "/many")) {
      for (int i = 0; i < 1100; i++) {
        store.put("n/%05d".formatted(i), new byte[] {1});
      }
      List<ObjectEntry> entries = store.list("n/");
      assertEquals(1100, entries.size());
      assertEquals("n/01099", entries.getLast().name());
      assertEquals(1000, store.list("n/", "").size());
      assertEquals(
          names(entries.subList(1000, 1100)), names(store.list("n/", entries.get(999).name())));
    }
  }

  private static List<String> names(List<ObjectEntry> entries) {
    return entries.stream().map(ObjectEntry::name).toList();
  }

  @Test
  void aBucketThatIsNotThereIsNotAMissingObject() {
    try (S3ObjectStore store = store("s3://varve-no-such-bucket")) {
      IOException e = assertThrows(IOException.class, () -> store.get("name"));
      assertTrue(!(e instanceof ObjectNotFoundException), e.toString());
    }
  }

  @Test
  void aServerThatDoesNotAnswerIsNeitherMissingNorExisting() {
    S3Settings settings =
        S3Settings.of(
            "s3://bucket",
            URI.create("http://127.0.0.1:1"),
            S3Server.REGION,
            true,
            "a",
            "s",
            TIMEOUT);
    try (S3ObjectStore store = new S3ObjectStore(settings)) {
      IOException e = assertThrows(IOException.class, () -> store.create("name", new byte[1]));
      assertTrue(!(e instanceof ObjectExistsException), e.toString());
      assertTrue(String.valueOf(e.getMessage()).startsWith("create name: "), e.getMessage());
    }
  }

  @Test
  void aFileOfManyMegabytesArrivesWhole() throws IOException {
    Path file = directory.resolve("large");
    byte[] content = new byte[20 << 20];
    for (int i = 0; i < content.length; i++) {
      content[i] = (byte) (i * 31 >>> 7);
    }
    Files.write(file, content);
    try (S3ObjectStore store = store("s3://" + BUCKET)) {
      store.putFile("large", file);
      assertEquals(List.of("large"), names(store.list("large")));
      assertEquals(content.length, store.list("large").getFirst().length());
      byte[] tail = store.getRange("large", content.length - 100, 100);
      assertEquals(content[content.length - 1], tail[99]);
    }
  }
}
