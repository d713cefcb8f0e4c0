package dev.varve.compute.volume;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The command line of the node agent.
 *
 * @param node the node's name in Kubernetes
 * @param kubelet the kubelet's directory, at the same path as on the host
 * @param pageserver {@code host:port}, with {timeline} and {namespace} to be replaced, and what
 *     {@link dev.varve.compute.page.PageserverChannel#address} replaces
 * @param workers threads of one volume's mount
 * @param readTimeout of one read, with all its retries
 * @param kubernetes null: as a pod is told
 */
record NodeAgentOptions(
    String node,
    Path kubelet,
    String pageserver,
    int workers,
    Duration readTimeout,
    @Nullable URI kubernetes) {
  static final String USAGE =
      """
      Serves database volumes to the pods of this node, as the CSI driver varve.dev.

        --node NAME               the node's name in Kubernetes
        --kubelet-directory DIR   default /var/lib/kubelet
        --pageserver HOST:PORT    default varve-{timeline}.{namespace}.svc:{6400+shard}
        --workers N               threads of each volume's mount, 1 to 256; default 8
        --read-timeout N          seconds that a read waits for a pageserver that does not answer, before PostgreSQL is
                                  told of an input/output error; 1 to 86400, default 180
        --kubernetes URL          an API server that asks for no token; default: the one of this pod
      """;

  private static final Set<String> OPTIONS =
      Set.of(
          "--node",
          "--kubelet-directory",
          "--pageserver",
          "--workers",
          "--read-timeout",
          "--kubernetes");

  /**
   * @throws IOException naming the option that is wrong or missing
   */
  static NodeAgentOptions parse(String[] arguments) throws IOException {
    Map<String, String> given = new LinkedHashMap<>();
    for (int i = 0; i < arguments.length; i += 2) {
      if (!OPTIONS.contains(arguments[i])) {
        throw new IOException("unknown option " + arguments[i] + "\n\n" + USAGE);
      }
      if (i + 1 == arguments.length) {
        throw new IOException(arguments[i] + " wants a value");
      }
      given.put(arguments[i], arguments[i + 1]);
    }
    String node = given.getOrDefault("--node", "");
    if (node.isEmpty()) {
      throw new IOException("--node is missing\n\n" + USAGE);
    }
    String kubernetes = given.get("--kubernetes");
    return new NodeAgentOptions(
        node,
        Path.of(given.getOrDefault("--kubelet-directory", "/var/lib/kubelet"))
            .toAbsolutePath()
            .normalize(),
        given.getOrDefault("--pageserver", "varve-{timeline}.{namespace}.svc:{6400+shard}"),
        number("--workers", given.getOrDefault("--workers", "8"), 256),
        Duration.ofSeconds(
            number("--read-timeout", given.getOrDefault("--read-timeout", "180"), 86_400)),
        kubernetes == null ? null : URI.create(kubernetes));
  }

  private static int number(String option, String text, int most) throws IOException {
    try {
      int value = Integer.parseInt(text);
      if (value >= 1 && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new IOException(option + " wants a number from 1 to " + most + ", not " + text);
  }

  /** The driver's own directory. */
  Path plugin() {
    return kubelet.resolve("plugins").resolve(IdentityService.DRIVER);
  }

  Path socket() {
    return plugin().resolve("csi.sock");
  }

  Path registration() {
    return kubelet.resolve("plugins_registry").resolve(IdentityService.DRIVER + "-reg.sock");
  }

  Path pods() {
    return kubelet.resolve("pods");
  }
}
