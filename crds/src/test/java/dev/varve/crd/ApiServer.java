package dev.varve.crd;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubeapitest.KubeAPIServer;
import io.fabric8.kubeapitest.KubeAPIServerConfigBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.concurrent.TimeUnit;

/**
 * A real API server alone, without controllers and nodes. Its programs are in the directory that
 * {@code VARVE_KUBE_API_DIR} names; without it the test is skipped.
 */
public final class ApiServer implements AutoCloseable {
  private static final String VERSION = "1.34.4";
  private static final int START_MILLIS = 180_000;
  private static final int ESTABLISHED_SECONDS = 60;

  private final KubeAPIServer server;

  private ApiServer(String programs) {
    server =
        new KubeAPIServer(
            KubeAPIServerConfigBuilder.anAPIServerConfig()
                .withTestDir(programs)
                .withApiServerVersion(VERSION)
                .withOfflineMode(true)
                .withUpdateKubeConfig(false)
                .withStartupTimeout(START_MILLIS)
                .build());
  }

  public static ApiServer start() {
    String directory = System.getenv("VARVE_KUBE_API_DIR");
    assumeTrue(
        directory != null,
        "VARVE_KUBE_API_DIR names no directory with kube-apiserver and etcd (docs/testing.md)");
    ApiServer started = new ApiServer(directory);
    started.server.start();
    return started;
  }

  /** For another process, which may do everything. */
  public String kubeconfig() {
    return server.getKubeConfigYaml();
  }

  /** The same, for a client. */
  public Config config() {
    return Config.fromKubeconfig(kubeconfig());
  }

  /** Waits until both definitions, which were applied, are served. */
  public static void awaitDefinitions(KubernetesClient client) {
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
              ESTABLISHED_SECONDS,
              TimeUnit.SECONDS);
    }
  }

  @Override
  public void close() {
    server.stop();
  }
}
