package dev.varve.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.gaul.s3proxy.S3Proxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** What the laptop overlay's S3 server owes to a trial that outlives a reboot. */
final class LaptopS3Test {
  private static final String BUCKET = "varve";
  private static final int WRITERS = 16;
  private static final int ROUNDS = 20;

  @TempDir Path directory;

  @Test
  void startsAgainOverWhatItHolds() throws Exception {
    S3Proxy first = start();
    try (S3Client client = client(first)) {
      client.putObject(r -> r.bucket(BUCKET).key("a/b"), RequestBody.fromString("kept"));
    } finally {
      first.stop();
    }
    S3Proxy second = start();
    try (S3Client client = client(second)) {
      assertEquals(
          "kept",
          client
              .getObjectAsBytes(r -> r.bucket(BUCKET).key("a/b"))
              .asString(StandardCharsets.UTF_8));
    } finally {
      second.stop();
    }
  }

  @Test
  void oneOfManyWritersCreatesAnObject() throws Exception {
    S3Proxy server = start();
    try (S3Client client = client(server);
        ExecutorService writers = Executors.newFixedThreadPool(WRITERS)) {
      for (int round = 0; round < ROUNDS; round++) {
        String key = "manifest-" + round;
        List<Callable<Boolean>> creates = new ArrayList<>();
        for (int writer = 0; writer < WRITERS; writer++) {
          String bytes = "writer " + writer;
          creates.add(() -> creates(client, key, bytes));
        }
        int won = 0;
        for (Future<Boolean> create : writers.invokeAll(creates)) {
          won += create.get() ? 1 : 0;
        }
        assertEquals(1, won, key);
      }
    } finally {
      server.stop();
    }
  }

  private static boolean creates(S3Client client, String key, String bytes) {
    try {
      client.putObject(
          r -> r.bucket(BUCKET).key(key).ifNoneMatch("*"), RequestBody.fromString(bytes));
      return true;
    } catch (S3Exception e) {
      assertEquals(412, e.statusCode(), e.getMessage());
      return false;
    }
  }

  private S3Proxy start() throws Exception {
    return LaptopS3.start(
        Map.of("directory", directory.toString(), "bucket", BUCKET, "port", "0"),
        Map.of("VARVE_S3_ACCESS_KEY", "key", "VARVE_S3_SECRET_KEY", "secret"));
  }

  private static S3Client client(S3Proxy server) {
    return S3Client.builder()
        .endpointOverride(URI.create("http://127.0.0.1:" + server.getPort()))
        .region(Region.US_EAST_1)
        .forcePathStyle(true)
        .credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create("key", "secret")))
        .httpClient(Apache5HttpClient.create())
        .build();
  }
}
