package dev.varve.testkit;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Whether an agent can mount for PostgreSQL's user here; for JUnit's {@code @EnabledIf(value =
 * RootMount.CHECK, disabledReason = RootMount.NEEDS)}.
 */
public final class RootMount {
  public static final String CHECK = "dev.varve.testkit.RootMount#isPossible";
  public static final String NEEDS = "the page mount wants root and /dev/fuse";

  private RootMount() {}

  public static boolean isPossible() {
    return PostgresServer.isRoot() && Files.exists(Path.of("/dev/fuse"));
  }
}
