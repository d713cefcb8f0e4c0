package dev.varve.compute.volume;

import dev.varve.compute.agent.FailureText;
import dev.varve.compute.agent.UncaughtFailures;
import dev.varve.compute.fuse.FuseOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.security.Security;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The resident agent of a node as a process. One runs at a time ({@link PluginDirectory}); a
 * successor waits. When it ends, however that may be, its mounts end, and the next one has their
 * pods replaced. Exit code: 0 after SIGTERM, 64 for a wrong command line, 1 when the start failed.
 */
public final class NodeAgent {
  private static final Logger LOG = Logger.getLogger(NodeAgent.class.getName());
  private static final long SWEEP_SECONDS = 5;
  private static final int EXIT_USAGE = 64;

  /** Many mounts in one process: smaller transfers, so that a mount's buffers stay few MiB. */
  private static final int TRANSFER_BYTES = 256 << 10;

  private NodeAgent() {}

  public static void main(String[] arguments) {
    System.setProperty(
        "java.util.logging.SimpleFormatter.format", "%1$tF %1$tT.%1$tL %4$s %5$s%6$s%n");
    // Services move between nodes: ask for names again after seconds.
    Security.setProperty("networkaddress.cache.ttl", "5");
    Security.setProperty("networkaddress.cache.negative.ttl", "1");
    UncaughtFailures.install();
    NodeAgentOptions options;
    try {
      options = NodeAgentOptions.parse(arguments);
    } catch (IOException e) {
      System.err.println("varve-node-agent: " + e.getMessage());
      System.exit(EXIT_USAGE);
      return;
    }
    int code = 0;
    try {
      run(options);
    } catch (IOException e) {
      LOG.severe("the start failed: " + FailureText.of(e));
      code = 1;
    } catch (InterruptedException e) {
      code = 1;
    }
    Runtime.getRuntime().halt(code);
  }

  private static void run(NodeAgentOptions options) throws IOException, InterruptedException {
    CountDownLatch stop = new CountDownLatch(1);
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stop.countDown();
                  try {
                    stopped.await(10, TimeUnit.SECONDS);
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                },
                "stop"));
    Files.createDirectories(options.registration().resolveSibling(""));
    try (PluginDirectory directory = PluginDirectory.hold(options.plugin())) {
      KubernetesApi kubernetes =
          options.kubernetes() == null
              ? KubernetesApi.inCluster(System.getenv(), options.node())
              : KubernetesApi.at(options.kubernetes(), options.node());
      FuseOptions fuse =
          new FuseOptions(
              options.workers(),
              TRANSFER_BYTES,
              FuseOptions.DEFAULT.writeback(),
              FuseOptions.DEFAULT.readAheadKilobytes());
      Volumes volumes =
          new Volumes(
              directory.volumes(),
              options.pods(),
              options.pageserver(),
              fuse,
              options.readTimeout(),
              kubernetes);
      volumes.recover();
      serve(options, volumes, stop);
    } finally {
      stopped.countDown();
    }
  }

  private static void serve(NodeAgentOptions options, Volumes volumes, CountDownLatch stop)
      throws IOException, InterruptedException {
    try (UnixSocketServer driver =
            UnixSocketServer.open(
                options.socket(),
                List.of(
                    new IdentityService(() -> true), new NodeService(volumes, options.node())));
        UnixSocketServer registration =
            UnixSocketServer.open(
                options.registration(), List.of(new RegistrationService(driver.socket())))) {
      LOG.info("serving " + driver.socket() + ", registering at " + registration.socket());
      do {
        try {
          volumes.sweep();
        } catch (IOException e) {
          LOG.warning("cannot look after the volumes: " + FailureText.of(e));
        } catch (RuntimeException e) {
          LOG.log(Level.SEVERE, "looking after the volumes failed", e);
        }
      } while (!stop.await(SWEEP_SECONDS, TimeUnit.SECONDS));
      LOG.info("stopping, " + volumes.size() + " volumes end with this agent");
    }
  }
}
