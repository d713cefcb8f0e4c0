package dev.varve.server;

import dev.varve.engine.store.StoreDeadline;
import dev.varve.engine.store.StoreProbe;
import dev.varve.engine.store.StoreProbe.Need;
import dev.varve.server.config.ServerConfig;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * {@code probe-store}: tries what a pageserver needs of the object store that {@code varve.store}
 * names, with the settings that a pageserver would have here, and says what of it the store does.
 * Nothing of the pageserver runs.
 */
final class ProbeCommand {
  static final String NAME = "probe-store";
  private static final Path PROPERTIES = Path.of("config", "application.properties");
  private static final Duration TIMEOUT = Duration.ofMinutes(1);
  private static final int FIT = 0;
  private static final int UNFIT = 1;
  private static final int NOT_KNOWN = 2;

  private ProbeCommand() {}

  /** Returns the exit code: 0 fit, 1 not fit, 2 not known. */
  static int run(List<String> args, PrintStream out) {
    if (!args.isEmpty()) {
      out.println(NAME + " takes no arguments: the store is the one of varve.store and varve.s3.*");
      return NOT_KNOWN;
    }
    try {
      ServerConfig config = config();
      try (StoreChoice store = StoreChoice.open(config, UnaryOperator.identity())) {
        out.println("probing " + config.store() + " below " + StoreProbe.DIRECTORY);
        return report(findings(store.probe()), out);
      }
    } catch (IOException | IllegalArgumentException e) {
      out.println("not known: " + e.getMessage());
      return NOT_KNOWN;
    }
  }

  /** A store that does not answer is given up by then, and not after all attempts at everything. */
  private static Map<Need, String> findings(StoreProbe probe) throws IOException {
    try {
      return StoreDeadline.after(TIMEOUT)
          .call(() -> {
            try {
              return probe.runWithRaces();
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static int report(Map<Need, String> findings, PrintStream out) {
    int result = FIT;
    boolean safe = true;
    for (Need need : Need.values()) {
      String fault = findings.get(need);
      String seen = fault == null ? "not tried" : fault.isEmpty() ? "yes" : "NO";
      out.printf("%-9s  %s%n", seen, need.description());
      if (fault != null && !fault.isEmpty()) {
        out.println("           " + fault);
        result = UNFIT;
        safe &= !need.isForSafety();
      }
    }
    out.println(
        result == FIT
            ? "This object store can be used."
            : safe
                ? "This object store can be used, but what is no longer wanted stays there."
                : "This object store cannot be used: a timeline there is not safe.");
    return result;
  }

  /** As the pageserver reads it: system properties, environment, {@code config/} beside it. */
  private static ServerConfig config() throws IOException {
    SmallRyeConfigBuilder builder =
        new SmallRyeConfigBuilder()
            .addDefaultSources()
            .addDefaultInterceptors()
            .addDiscoveredConverters()
            .withMapping(ServerConfig.class);
    if (Files.exists(PROPERTIES)) {
      builder.withSources(new PropertiesConfigSource(PROPERTIES.toUri().toURL(), 260));
    }
    return builder.build().getConfigMapping(ServerConfig.class);
  }
}
