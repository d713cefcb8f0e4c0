package dev.varve.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** Runs the lines of {@code docs/quickstart.md}, but those that it marks to be skipped. */
@EnabledIf(
    value = "dev.varve.e2e.Cluster#isThere",
    disabledReason = "KUBECONFIG names no cluster, and no container engine runs one")
final class QuickstartIT {
  @Test
  void everyLineWorks(@TempDir Path directory) throws Exception {
    copyDeploy(directory);
    List<String> lines = Runbook.all("quickstart.md", "");
    assertTrue(lines.size() > 15, lines::toString);
    String last = "";
    for (String line : lines) {
      String said;
      if (line.startsWith("kubectl apply -k ")) {
        synchronized (Shop.INSTALLING) {
          said = run(line, directory);
        }
      } else {
        said = run(line, directory);
      }
      if (line.contains("select count(*)")) {
        last = said;
      }
    }
    assertTrue(last.contains("100000"), last);
  }

  /** What the line printed. */
  private static String run(String line, Path directory) throws Exception {
    Path output = directory.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", line)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().putAll(Cluster.environment());
    int code = builder.start().waitFor();
    String said = Files.readString(output);
    assertEquals(0, code, () -> line + "\n" + said);
    return said;
  }

  /** The manifests, with the names that this cluster knows the official image by. */
  private static void copyDeploy(Path directory) throws IOException {
    Path deploy = Path.of("../deploy");
    for (String part : List.of("base", "overlays", "examples")) {
      try (Stream<Path> files = Files.walk(deploy.resolve(part))) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          Path copy = directory.resolve("deploy").resolve(deploy.relativize(file));
          Files.createDirectories(copy.getParent());
          Files.writeString(
              copy,
              Files.readString(file)
                  .replaceAll("(?m)image: postgres:17$", "image: " + Shop.POSTGRES));
        }
      }
    }
  }
}
