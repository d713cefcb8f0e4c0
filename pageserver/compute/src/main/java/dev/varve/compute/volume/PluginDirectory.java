package dev.varve.compute.volume;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The driver's own directory below the kubelet's. One agent at a time holds it, by a lock on the
 * file {@code lock}; a successor waits. When the holder ends with no volume left, it removes the
 * directory, so that nothing stays on a node that Varve leaves.
 */
final class PluginDirectory implements AutoCloseable {
  private final Path directory;

  /** Closing it ends the lock, as the end of the process does. */
  private final FileChannel held;

  private PluginDirectory(Path directory, FileChannel held) {
    this.directory = directory;
    this.held = held;
  }

  /** Makes the directory where it is missing, and waits until no other agent holds it. */
  static PluginDirectory hold(Path directory) throws IOException {
    Path lock = lock(directory);
    while (true) {
      Files.createDirectories(directory);
      @Nullable FileChannel file = null;
      try {
        FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE).close();
        Object key = key(lock);
        file = FileChannel.open(lock, StandardOpenOption.WRITE);
        // A holder that ends removes the file while others wait for it. It is not opened to look:
        // closing any descriptor of a file ends the process's locks on it.
        if (file.lock().isValid() && key.equals(key(lock))) {
          return new PluginDirectory(directory, file);
        }
        file.close();
      } catch (NoSuchFileException e) {
        if (file != null) {
          file.close();
        }
      }
    }
  }

  /** Device and inode. */
  private static Object key(Path file) throws IOException {
    return Objects.requireNonNull(
        Files.readAttributes(file, BasicFileAttributes.class).fileKey(), "no inodes");
  }

  private static Path lock(Path directory) {
    return directory.resolve("lock");
  }

  Path volumes() {
    return directory.resolve("volumes");
  }

  @Override
  public void close() throws IOException {
    try (held) {
      Files.deleteIfExists(volumes());
      Files.delete(lock(directory));
      Files.delete(directory);
    } catch (DirectoryNotEmptyException e) {
      // volumes that the next agent takes away
    }
  }
}
