package dev.varve.crd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubeapitest.KubeAPIServer;
import io.fabric8.kubeapitest.KubeAPIServerConfigBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A real API server takes the {@code valid-*.yaml} and refuses the {@code invalid-*.yaml}, whose
 * first line is {@code # refused:} and a part of the message. Documents of one file are applied one
 * after the other; only the last one of an invalid file is refused. The server's programs are in
 * the directory that {@code VARVE_KUBE_API_DIR} names; without it this is skipped.
 */
final class CrdValidationIT {
  private static final Path CASES = Path.of("src/test/resources/dev/varve/crd");
  private static final String REFUSED = "# refused: ";

  private static KubeAPIServer server;
  private static KubernetesClient client;

  @BeforeAll
  static void start() throws IOException {
    String directory = System.getenv("VARVE_KUBE_API_DIR");
    assumeTrue(
        directory != null,
        "VARVE_KUBE_API_DIR names no directory with kube-apiserver and etcd (docs/testing.md)");
    server =
        new KubeAPIServer(
            KubeAPIServerConfigBuilder.anAPIServerConfig()
                .withTestDir(directory)
                .withApiServerVersion("1.34.4")
                .withOfflineMode(true)
                .withUpdateKubeConfig(false)
                .withStartupTimeout(60_000)
                .build());
    server.start();
    client =
        new KubernetesClientBuilder()
            .withConfig(Config.fromKubeconfig(server.getKubeConfigYaml()))
            .build();
    for (String plural : CrdFiles.PLURALS) {
      client.resource(CrdFiles.generated(plural)).create();
    }
    for (String plural : CrdFiles.PLURALS) {
      client
          .apiextensions()
          .v1()
          .customResourceDefinitions()
          .withName(plural + ".varve.dev")
          .waitUntilCondition(
              crd ->
                  crd.getStatus() != null
                      && crd.getStatus().getConditions() != null
                      && crd.getStatus().getConditions().stream()
                          .anyMatch(c ->
                              c.getType().equals("Established") && c.getStatus().equals("True")),
              30,
              TimeUnit.SECONDS);
    }
  }

  @AfterAll
  static void stop() {
    if (client != null) {
      client.close();
    }
    if (server != null) {
      server.stop();
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
