package dev.varve.local.zoo;

import dev.varve.testkit.PostgresServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * PostgreSQL's programs as a distribution installs them. The binaries that everything else runs on
 * have few of them, and lack lz4 and zstd; animals that need more live on the majors that the
 * machine has installed.
 */
final class Programs {
  private Programs() {}

  /** Where Debian's packages and those of PostgreSQL's own project put a major's. */
  static Path directory(int major) {
    return Path.of("/usr/lib/postgresql/" + major + "/bin");
  }

  static boolean has(int major, String... names) {
    for (String name : names) {
      if (!Files.isExecutable(directory(major).resolve(name))) {
        return false;
      }
    }
    return true;
  }

  /** Runs one as PostgreSQL's user in an empty directory, and waits for it. */
  static void run(Habitat habitat, String name, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(directory(habitat.major()).resolve(name).toString());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(PostgresServer.asPostgresUser(command))
            .directory(habitat.directory("programs").toFile())
            .redirectErrorStream(true)
            .start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(name + " failed: " + output);
    }
  }
}
