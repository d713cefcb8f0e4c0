package dev.varve.e2e;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The program {@code kubectl} on the path. */
final class Kubectl {
  private static final long LIMIT_SECONDS = 600;

  private Kubectl() {}

  /** How a call ended. */
  record Result(int code, String output) {
    boolean ok() {
      return code == 0;
    }
  }

  /**
   * @return standard output, without white space around it
   * @throws IllegalStateException with all that was said, when it fails
   */
  static String run(String... arguments) {
    Result result = call(null, arguments);
    if (!result.ok()) {
      throw new IllegalStateException(
          "kubectl "
              + String.join(" ", arguments)
              + " ended with "
              + result.code()
              + ":\n"
              + result.output());
    }
    return result.output().strip();
  }

  static Result attempt(String... arguments) {
    return call(null, arguments);
  }

  /** {@code kubectl apply} in a namespace. */
  static void apply(String namespace, String yaml) {
    Result result = call(yaml, "-n", namespace, "apply", "-f", "-");
    if (!result.ok()) {
      throw new IllegalStateException("apply failed: " + result.output() + "\n" + yaml);
    }
  }

  /** Statements in a pod's PostgreSQL; the last one's rows, unaligned. */
  static Result sql(String namespace, String pod, String sql) {
    return call(
        null,
        "-n",
        namespace,
        "exec",
        pod,
        "--",
        "psql",
        "-U",
        "postgres",
        "-v",
        "ON_ERROR_STOP=1",
        "-qAtX",
        "-c",
        sql);
  }

  /**
   * @throws IllegalStateException when it fails
   */
  static String query(String namespace, String pod, String sql) {
    Result result = sql(namespace, pod, sql);
    if (!result.ok()) {
      throw new IllegalStateException(sql + "\n" + result.output());
    }
    return result.output().strip();
  }

  private static Result call(@Nullable String input, String... arguments) {
    List<String> command = new ArrayList<>(List.of("kubectl"));
    command.addAll(List.of(arguments));
    return call(input, Cluster.environment(), command);
  }

  /** Any program, with its standard output and error together. */
  static Result call(List<String> command) {
    return call(null, Map.of(), command);
  }

  private static Result call(
      @Nullable String input, Map<String, String> environment, List<String> command) {
    try {
      Path output = Files.createTempFile("kubectl", ".out");
      try {
        ProcessBuilder builder =
            new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        try (OutputStream in = process.getOutputStream()) {
          if (input != null) {
            in.write(input.getBytes(StandardCharsets.UTF_8));
          }
        }
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
          process.destroyForcibly();
          throw new IllegalStateException(command + " took longer than " + LIMIT_SECONDS + " s");
        }
        return new Result(process.exitValue(), Files.readString(output));
      } finally {
        Files.deleteIfExists(output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }
}
