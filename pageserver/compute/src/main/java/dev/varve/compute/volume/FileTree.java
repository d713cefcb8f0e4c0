package dev.varve.compute.volume;

import io.grpc.Status;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;
import java.util.List;

/**
 * Removal of a directory with all that is in it, as root. Its owner may still rename files in it:
 * each entry is removed through the open directory it was found in, so that a link that takes a
 * directory's place is removed and never followed.
 */
final class FileTree {
  private FileTree() {}

  /**
   * Removes; what is gone already is no error. Links are removed, not followed.
   *
   * @throws VolumeException when anything is still mounted in there: nothing is touched then
   */
  static void delete(Path directory) throws IOException {
    List<Path> mounts = MountTable.allBelow(directory);
    if (!mounts.isEmpty()) {
      throw new VolumeException(
          Status.Code.INTERNAL, "mounts are left in " + directory + ": " + mounts);
    }
    try (DirectoryStream<Path> parent = Files.newDirectoryStream(directory.resolveSibling(""))) {
      deleteEntry(secure(parent), directory.getFileName());
    } catch (NoSuchFileException e) {
      // gone is what was wanted
    }
  }

  /** What every directory of Linux's file systems is. */
  private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> directory) {
    return (SecureDirectoryStream<Path>) directory;
  }

  private static void deleteEntry(SecureDirectoryStream<Path> parent, Path name)
      throws IOException {
    try {
      boolean isDirectory =
          parent
              .getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
              .readAttributes()
              .isDirectory();
      if (!isDirectory) {
        parent.deleteFile(name);
        return;
      }
      try (SecureDirectoryStream<Path> entries =
          parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
        for (Path entry : entries) {
          deleteEntry(entries, entry.getFileName());
        }
      }
      parent.deleteDirectory(name);
    } catch (NoSuchFileException e) {
      // gone is what was wanted
    }
  }
}
