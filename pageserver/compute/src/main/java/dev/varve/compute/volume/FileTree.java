package dev.varve.compute.volume;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/** Removal of a directory with all that is in it. */
final class FileTree {
  private FileTree() {}

  /**
   * Removes; what is gone already is no error. Links are removed, not followed.
   *
   * @throws VolumeException when a page mount is still in there: nothing is touched then
   */
  static void delete(Path directory) throws IOException {
    if (!MountTable.below(directory).isEmpty()) {
      throw new VolumeException(
          io.grpc.Status.Code.INTERNAL,
          "page mounts are left in " + directory + ": " + MountTable.below(directory));
    }
    try {
      Files.walkFileTree(
          directory,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              Files.deleteIfExists(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException failure)
                throws IOException {
              if (failure instanceof NoSuchFileException) {
                return FileVisitResult.CONTINUE;
              }
              throw failure;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure)
                throws IOException {
              if (failure != null && !(failure instanceof NoSuchFileException)) {
                throw failure;
              }
              Files.deleteIfExists(visited);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (NoSuchFileException e) {
      // gone is what was wanted
    }
  }
}
