package dev.varve.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.k3s.K3sContainer;
import org.testcontainers.utility.DockerImageName;

/**
 * The cluster that these tests run on: the one that {@code KUBECONFIG} names; else one node of k3s
 * in a container, until the tests' JVM ends, where a container engine runs; else none.
 */
final class Cluster {
  private static final DockerImageName K3S = DockerImageName.parse("rancher/k3s:v1.34.1-k3s1");
  private static final DockerImageName REGISTRY = DockerImageName.parse("registry:2");
  private static final String REGISTRY_HOST = "registry";
  private static final int REGISTRY_PORT = 5000;

  /** Of the cluster; null when there is none. */
  private static final @Nullable String KUBECONFIG = find();

  private Cluster() {}

  /** For {@code @EnabledIf}. */
  static boolean isThere() {
    return KUBECONFIG != null;
  }

  /** For {@code @EnabledIf}. */
  static boolean hasTwoNodes() {
    return isThere() && Nodes.names().size() >= 2;
  }

  /** What tells a program of the cluster. */
  static Map<String, String> environment() {
    return KUBECONFIG == null ? Map.of() : Map.of("KUBECONFIG", KUBECONFIG);
  }

  private static @Nullable String find() {
    String named = System.getenv("KUBECONFIG");
    if (named != null || !DockerClientFactory.instance().isDockerAvailable()) {
      return named;
    }
    try {
      return start().toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** The containers are removed by Testcontainers when this JVM has ended. */
  private static Path start() throws IOException, InterruptedException {
    Network network = Network.newNetwork();
    GenericContainer<?> registry =
        new GenericContainer<>(REGISTRY)
            .withNetwork(network)
            .withNetworkAliases(REGISTRY_HOST)
            .withExposedPorts(REGISTRY_PORT)
            .waitingFor(Wait.forHttp("/v2/"));
    registry.start();
    push("localhost:" + registry.getMappedPort(REGISTRY_PORT));

    // The name that the laptop's overlay gives the registry leads to the one beside k3s.
    String registries =
        """
        mirrors:
          "localhost:5000":
            endpoint: ["http://HOST:PORT"]
        """
            .replace("HOST", REGISTRY_HOST)
            .replace("PORT", Integer.toString(REGISTRY_PORT));
    K3sContainer k3s = new K3sContainer(K3S);
    k3s.withNetwork(network)
        .withCopyToContainer(Transferable.of(registries), "/etc/rancher/k3s/registries.yaml");
    k3s.start();
    // The node agent's mounts are to be seen by the pods that they are made for.
    k3s.execInContainer("mount", "--make-rshared", "/");
    Path kubeconfig = Files.createTempFile("k3s", ".yaml");
    kubeconfig.toFile().deleteOnExit();
    return Files.writeString(kubeconfig, k3s.getKubeConfigYaml());
  }

  /** Builds the images and pushes them; not this module, whose classes are in use. */
  private static void push(String registry) {
    List<String> command =
        List.of(
            "../deploy/images", registry, "latest", "-Dvarve.image.insecure=true", "-pl", "!e2e");
    Kubectl.Result result = Kubectl.call(command);
    if (!result.ok()) {
      throw new IllegalStateException("the images cannot be built for k3s:\n" + result.output());
    }
  }
}
