package dev.varve.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Files as a released version wrote them, {@code src/test/resources/golden/NAME.vVERSION} of the
 * module whose tests run. They are never changed: a new version adds its own beside them, which a
 * run with {@code -Dvarve.golden=add} writes.
 */
public final class GoldenFile {
  private static final Path DIRECTORY = Path.of("src/test/resources/golden");

  private GoldenFile() {}

  /**
   * The file of the version that is written now.
   *
   * @param written what that version writes, for a file that is to be added
   */
  public static byte[] ofCurrent(String name, int version, byte[] written) throws IOException {
    Path file = path(name, version);
    if (!Files.exists(file) && "add".equals(System.getProperty("varve.golden"))) {
      Files.createDirectories(DIRECTORY);
      Files.write(file, written);
    }
    return read(name, version);
  }

  /** The file of an older version. */
  public static byte[] read(String name, int version) throws IOException {
    Path file = path(name, version);
    if (!Files.exists(file)) {
      throw new AssertionError(
          file + " is missing: -Dvarve.golden=add writes it for the version that is written now");
    }
    return Files.readAllBytes(file);
  }

  private static Path path(String name, int version) {
    return DIRECTORY.resolve(name + ".v" + version);
  }
}
