package dev.varve.crd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A real API server takes the {@code valid-*.yaml} and refuses the {@code invalid-*.yaml}, whose
 * first line is {@code # refused:} and a part of the message. Documents of one file are applied one
 * after the other; only the last one of an invalid file is refused.
 */
final class CrdValidationIT {
  private static final Path CASES = Path.of("src/test/resources/dev/varve/crd");
  private static final String REFUSED = "# refused: ";

  private static ApiServer server;
  private static KubernetesClient client;

  @BeforeAll
  static void start() throws IOException {
    server = ApiServer.start();
    client = new KubernetesClientBuilder().withConfig(server.config()).build();
    for (String plural : CrdFiles.PLURALS) {
      client.resource(CrdFiles.generated(plural)).create();
    }
    ApiServer.awaitDefinitions(client);
  }

  @AfterAll
  static void stop() {
    if (client != null) {
      client.close();
    }
    if (server != null) {
      server.close();
    }
  }

  static Stream<Path> valid() throws IOException {
    return cases("valid-");
  }

  static Stream<Path> invalid() throws IOException {
    return cases("invalid-");
  }

  private static Stream<Path> cases(String prefix) throws IOException {
    try (Stream<Path> files = Files.list(CASES)) {
      return files
          .filter(f -> f.getFileName().toString().startsWith(prefix))
          .sorted()
          .toList()
          .stream();
    }
  }

  private static List<HasMetadata> documents(Path file) throws IOException {
    byte[] text = Files.readString(file).getBytes(StandardCharsets.UTF_8);
    return client.load(new ByteArrayInputStream(text)).items();
  }

  private static void apply(HasMetadata resource) {
    client
        .resource(resource)
        .inNamespace("default")
        .fieldManager("test")
        .forceConflicts()
        .serverSideApply();
  }

  @ParameterizedTest
  @MethodSource("valid")
  void isTaken(Path file) throws IOException {
    documents(file).forEach(CrdValidationIT::apply);
  }

  @ParameterizedTest
  @MethodSource("invalid")
  void isRefusedWithTheRemedy(Path file) throws IOException {
    String first = Files.readAllLines(file).getFirst();
    assertTrue(first.startsWith(REFUSED), file + " says what it is refused with");
    List<HasMetadata> documents = documents(file);
    documents.subList(0, documents.size() - 1).forEach(CrdValidationIT::apply);
    KubernetesClientException refusal =
        assertThrows(KubernetesClientException.class, () -> apply(documents.getLast()));
    String message = String.valueOf(refusal.getMessage());
    assertTrue(message.contains(first.substring(REFUSED.length())), message);
  }

  @Test
  void defaultsAreFilledIn() throws IOException {
    for (HasMetadata document : documents(CASES.resolve("valid-timeline-least.yaml"))) {
      apply(document);
    }
    TimelineSpec spec =
        client.resources(Timeline.class).inNamespace("default").withName("least").get().getSpec();
    PrimarySource primary = spec.source().primary();
    assertEquals(5432, primary.port());
    assertEquals("postgres", primary.database());
    assertEquals(SslMode.PREFER, primary.sslMode());
    assertEquals("password", primary.passwordSecret().key());

    for (HasMetadata document : documents(CASES.resolve("valid-tenant-least.yaml"))) {
      apply(document);
    }
    Tenant tenant = client.resources(Tenant.class).inNamespace("default").withName("least").get();
    assertNotNull(tenant.getSpec());
    assertEquals(new TenantSpec(1, 2048, DeletionPolicy.Retain, null), tenant.getSpec());
  }
}
