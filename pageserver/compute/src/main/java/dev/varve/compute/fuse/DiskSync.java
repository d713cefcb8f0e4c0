package dev.varve.compute.fuse;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Brings to the disk what a power cut must not take. */
public final class DiskSync {
  private DiskSync() {}

  /**
   * Everything that was written to the file system that {@code directory} is on.
   *
   * @throws IOException when the disk refuses some of it
   */
  public static void fileSystem(Path directory) throws IOException {
    int fd = Libc.open(directory.toString(), Libc.O_CLOEXEC);
    int result = fd;
    if (fd >= 0) {
      result = Libc.syncfs(fd);
      Libc.close(fd);
    }
    if (result < 0) {
      throw new IOException("syncing the file system of " + directory + ": error " + -result);
    }
  }

  /** Writes a file; it is there, whole, when this returns. */
  public static void write(Path file, String text) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    directory(file.resolveSibling(""));
  }

  /** Removes a file, if it is there; it does not come back. */
  public static void delete(Path file) throws IOException {
    if (Files.deleteIfExists(file)) {
      directory(file.resolveSibling(""));
    }
  }

  private static void directory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
