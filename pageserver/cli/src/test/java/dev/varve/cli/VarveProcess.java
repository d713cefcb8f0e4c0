package dev.varve.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** One run of the packaged program, to its end. */
record VarveProcess(int exitCode, String out, String err) {
  private static final Path JAR = Path.of("target/varve.jar").toAbsolutePath();
  private static final long TIMEOUT_MINUTES = 2;
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * @param directory where its output goes
   * @param environment further variables
   */
  static VarveProcess run(Path directory, Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-Xmx128m",
                "-jar",
                JAR.toString()));
    command.addAll(List.of(args));
    Path out = Files.createTempFile(directory, "varve", ".out");
    Path err = Files.createTempFile(directory, "varve", ".err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    try {
      assertTrue(process.waitFor(TIMEOUT_MINUTES, TimeUnit.MINUTES), "varve does not end");
    } finally {
      process.destroyForcibly();
    }
    return new VarveProcess(process.exitValue(), Files.readString(out), Files.readString(err));
  }

  JsonNode json() throws IOException {
    return JSON.readTree(out);
  }

  /** Kinds and objects of what {@code fsck --output json} found, sorted. */
  List<String> findings() throws IOException {
    return List.copyOf(
        StreamSupport.stream(json().get("findings").spliterator(), false)
            .map(finding -> finding.get("kind").asText() + " " + finding.get("object").asText())
            .collect(Collectors.toCollection(TreeSet::new)));
  }
}
