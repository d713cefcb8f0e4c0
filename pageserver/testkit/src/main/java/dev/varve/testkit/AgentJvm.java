package dev.varve.testkit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The JVM of an agent, with a heap as small as its containers have. */
public final class AgentJvm {
  private static final List<String> OPTIONS =
      List.of(
          "-XX:+UseSerialGC",
          "-Xmx256m",
          "-XX:+ExitOnOutOfMemoryError",
          "--enable-native-access=ALL-UNNAMED",
          "--sun-misc-unsafe-memory-access=allow");

  private AgentJvm() {}

  /**
   * The beginning of a command line, up to the class path.
   *
   * @param more options
   */
  public static List<String> command(String... more) {
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElse("java"));
    command.addAll(OPTIONS);
    command.addAll(Arrays.asList(more));
    return command;
  }
}
