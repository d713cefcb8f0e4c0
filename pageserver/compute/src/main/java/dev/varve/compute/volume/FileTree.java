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
import java.util.UUID;

/**
 * Removal of a directory with all that is in it, as root. Its owner may still rename files in it:
 * each entry is removed through the open directory it was found in, so that a link that takes a
 * directory's place is removed and never followed. Directories may be nested without end: one that
 * is very deep is moved up first, so that neither the stack nor open files run out.
 */
final class FileTree {
  /** Deeper than anything of PostgreSQL's. */
  private static final int DEEPEST = 64;

  private final SecureDirectoryStream<Path> top;

  /** Something was moved into the top. */
  private boolean moved;

  private FileTree(SecureDirectoryStream<Path> top) {
    this.top = top;
  }

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
    Path name = directory.getFileName();
    try (DirectoryStream<Path> parent = Files.newDirectoryStream(directory.resolveSibling(""))) {
      while (!deleteTop(secure(parent), name)) {}
    } catch (NoSuchFileException e) {
      // gone is what was wanted
    }
  }

  /** What every directory of Linux's file systems is. */
  private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> directory) {
    return (SecureDirectoryStream<Path>) directory;
  }

  /** Whether it is gone: false when something was moved into it, which it may have now. */
  private static boolean deleteTop(SecureDirectoryStream<Path> parent, Path name)
      throws IOException {
    if (!isDirectory(parent, name)) {
      parent.deleteFile(name);
      return true;
    }
    try (SecureDirectoryStream<Path> entries =
        parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
      FileTree tree = new FileTree(entries);
      for (Path entry : entries) {
        tree.delete(entries, entry.getFileName(), 1);
      }
      if (tree.moved) {
        return false;
      }
    }
    parent.deleteDirectory(name);
    return true;
  }

  private void delete(SecureDirectoryStream<Path> parent, Path name, int depth) throws IOException {
    try {
      if (!isDirectory(parent, name)) {
        parent.deleteFile(name);
      } else if (depth == DEEPEST) {
        parent.move(name, top, Path.of("moved-" + UUID.randomUUID()));
        moved = true;
      } else {
        try (SecureDirectoryStream<Path> entries =
            parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
          for (Path entry : entries) {
            delete(entries, entry.getFileName(), depth + 1);
          }
        }
        parent.deleteDirectory(name);
      }
    } catch (NoSuchFileException e) {
      // gone is what was wanted
    }
  }

  private static boolean isDirectory(SecureDirectoryStream<Path> parent, Path name)
      throws IOException {
    return parent
        .getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
        .readAttributes()
        .isDirectory();
  }
}
